# The image of every container that meshctl has in a cluster: the controller, the sidecar, and init, which runs as root.
# Build it from a checkout after `npm ci`, on the architecture that it is for:
#   docker build --build-arg ARCH=x64 -t registry.example.com/meshctl:0.1.0 .
# Files stand as they run: nothing is unpacked, so the root may be read-only.
FROM debian:bookworm-slim

# x64 or arm64, as npm names the packages of Node and koffi.
ARG ARCH=x64

LABEL org.opencontainers.image.title="meshctl"
LABEL org.opencontainers.image.description="A service mesh in one program"
LABEL org.opencontainers.image.version="0.1.0"
LABEL org.opencontainers.image.licenses="Apache-2.0"

# libatomic1 and libstdc++6 are Node's. The link dangles until the launcher is there.
RUN apt-get update \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends iptables libatomic1 libstdc++6 \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
  && ln -s /opt/meshctl/bin/meshctl /usr/local/bin/meshctl

# Readable by uid 1337 whatever the checkout's umask was. What changes least comes first.
COPY --chmod=755 node_modules/node-linux-${ARCH}/bin/node /opt/meshctl/node_modules/node-linux-${ARCH}/bin/node
COPY --chmod=755 node_modules/node-linux-${ARCH}/LICENSE /opt/meshctl/node_modules/node-linux-${ARCH}/LICENSE
COPY --chmod=755 node_modules/@koromix/koffi-linux-${ARCH}/package.json node_modules/@koromix/koffi-linux-${ARCH}/index.js /opt/meshctl/node_modules/@koromix/koffi-linux-${ARCH}/
COPY --chmod=755 node_modules/@koromix/koffi-linux-${ARCH}/linux_${ARCH}/koffi.node /opt/meshctl/node_modules/@koromix/koffi-linux-${ARCH}/linux_${ARCH}/koffi.node
COPY --chmod=755 node_modules/koffi/package.json node_modules/koffi/index.js node_modules/koffi/LICENSE.txt /opt/meshctl/node_modules/koffi/
COPY --chmod=755 node_modules/koffi/src/koffi/index.js /opt/meshctl/node_modules/koffi/src/koffi/index.js
COPY --chmod=755 node_modules/koffi/src/koffi/src/static.js /opt/meshctl/node_modules/koffi/src/koffi/src/static.js
COPY --chmod=755 package.json LICENSE NOTICE /opt/meshctl/
COPY --chmod=755 templates /opt/meshctl/templates
COPY --chmod=755 bin /opt/meshctl/bin
COPY --chmod=755 dist /opt/meshctl/dist

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /
USER 1337:1337
ENTRYPOINT ["/usr/local/bin/meshctl"]
