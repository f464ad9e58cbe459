FROM base
COPY --from=base /base /copied
RUN cat /base
