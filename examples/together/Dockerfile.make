FROM busybox:latest
ARG COLOUR=none
RUN echo "$COLOUR" > /colour
