# syntax=docker/dockerfile:1

# What builds the binary. A tag may mean another image tomorrow: pin it by digest with
# `docker build --build-arg RUST=rust:1.95-slim-bookworm@sha256:…`, where `docker buildx imagetools inspect` tells the digest.
ARG RUST=rust:1.95-slim-bookworm

# The binary is linked statically, so the image needs nothing else: no shell, no libraries.
FROM ${RUST} AS chef
RUN cargo install --locked cargo-chef
WORKDIR /build

# What is needed of the manifests to build the dependencies alone.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# With an explicit target, the flags are for the binary alone and not for build scripts and macros. In a
# static binary, getrandom does not find libc's function and would need /dev/urandom: it is to make the
# system call itself.
FROM chef AS build
ENV RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"'
# A layer that stays as long as no dependency changes.
COPY --from=plan /build/recipe.json .
RUN cargo chef cook --release --locked --package cashpoint-cli --target "$(uname -m)-unknown-linux-gnu"
COPY . .
RUN target="$(uname -m)-unknown-linux-gnu" \
    && cargo build --release --locked --package cashpoint-cli --target "$target" \
    && mv "target/$target/release/cashpoint" /cashpoint
RUN ./licenses.sh /licenses
RUN mkdir /data

FROM scratch
COPY --from=build /cashpoint /cashpoint
COPY LICENSE /LICENSE
COPY --from=build /licenses /licenses
COPY crates/cashpoint-server/assets/vendor/*.LICENSE* crates/cashpoint-server/assets/vendor/*.NOTICE /licenses/
# Nobody, by number: there is no /etc/passwd. A new volume that is mounted at /data belongs to this user, too.
COPY --from=build --chown=65534:65534 --chmod=700 /data /data
USER 65534:65534
EXPOSE 8000
# With the default numbers of accounts and of idempotency keys, whatever clients do then fits 512 MB: see docs/operating.md, Deployment.
ENV MAX_CONNECTIONS=500
# Asks the port that PORT names, 8000 without it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["/cashpoint", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/cashpoint"]
CMD ["serve"]
