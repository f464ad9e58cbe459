# The image of habitus itself. In a project's folder, with the socket of the engine that shall build:
#   docker run --rm -v /var/run/docker.sock:/var/run/docker.sock -v "$PWD:/project:ro" habitus
ARG NODE_IMAGE=node:22-alpine

FROM ${NODE_IMAGE} AS build
WORKDIR /habitus
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY bin/bundle.js bin/
COPY src src
# The executable is all that is of use in here; types and source maps are for who programs.
RUN npm run build \
 && npm prune --omit=dev --no-audit --no-fund \
 && rm dist/program/*.map \
 && find node_modules -type f \( -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.map' \) -delete

FROM ${NODE_IMAGE}
COPY --from=build /habitus/package.json /habitus/
COPY --from=build /habitus/node_modules /habitus/node_modules
COPY --from=build /habitus/dist/program /habitus/dist/program
COPY LICENSE /habitus/
COPY bin/habitus.cjs /habitus/bin/
WORKDIR /project
ENTRYPOINT ["node", "/habitus/bin/habitus.cjs"]
