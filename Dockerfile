# The image of habitus itself. Run it with the engine's socket and the project mounted at the same path as on the host:
#   docker run --rm -v /var/run/docker.sock:/var/run/docker.sock -v "$PWD:$PWD" -w "$PWD" habitus
ARG NODE_IMAGE=node:22-alpine

FROM ${NODE_IMAGE} AS build
WORKDIR /habitus
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build \
 && npm prune --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE}
COPY --from=build /habitus/package.json /habitus/
COPY --from=build /habitus/node_modules /habitus/node_modules
COPY --from=build /habitus/dist /habitus/dist
COPY bin/habitus.js /habitus/bin/
ENTRYPOINT ["node", "/habitus/bin/habitus.js"]
