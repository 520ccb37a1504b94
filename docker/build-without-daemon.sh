#!/usr/bin/env bash
# Build the images on a machine that has no container daemon, and start the hub's to see that it serves.
#
#   docker/build-without-daemon.sh [--fresh] [--no-start]
#
# It makes a base image with debootstrap, then runs docker/Dockerfile with buildah in chroot isolation: no daemon and
# no user namespace are needed, but root is. The base image and the build's layers are kept in var/images; --fresh
# starts from nothing. Plugins cannot be run in this way, only loaded: their sandbox needs namespaces, and Linux gives
# none to a process in a chroot.
#
#   DEBIAN_MIRROR   where debootstrap takes Debian from (default: what this machine's apt uses)
#   DEBIAN_SUITE    which Debian (default: bookworm)
#   STORAGE_DRIVER  how buildah keeps layers: vfs where the kernel has no overlay file system
#   BUILD_CA        certificates that pip and npm trust while building (default: this machine's, so that a network
#                   with a certificate authority of its own works); none of it gets into the images
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${DEBIAN_SUITE:-bookworm}
store=${HUB_IMAGE_STORE:-$PWD/var/images}
base=localhost/joinedup-base:$suite
port=${HUB_PORT:-8600}
ca=${BUILD_CA:-/etc/ssl/certs/ca-certificates.crt}
fresh=false start=true
for argument in "$@"; do
    case $argument in
    --fresh) fresh=true ;;
    --no-start) start=false ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit 2 ;;
    esac
done

step() { printf '==> %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2 && exit 1; }

((EUID == 0)) || fail "This needs root: debootstrap makes device files and buildah changes root."
for program in buildah debootstrap; do
    command -v "$program" >/dev/null || fail "$program is missing. On Debian and Ubuntu: apt-get install buildah debootstrap"
done

export BUILDAH_ISOLATION=chroot
buildah=(buildah --root "$store/storage" --runroot "$store/run")

mirror() {
    [ -z "${DEBIAN_MIRROR:-}" ] || { echo "$DEBIAN_MIRROR" && return; }
    # shellcheck disable=SC2016  # apt's own placeholders, not the shell's
    apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' |
        awk -v suite="$suite" '$1 == "Packages" && $2 == suite { print $3; exit }'
}

make_base() {
    local from root
    from=$(mirror)
    [ -n "$from" ] || fail "apt on this machine knows no mirror with $suite; name one in DEBIAN_MIRROR."
    root=$store/base
    rm -rf "$root" && mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$from" >"$store/debootstrap.log" ||
        fail "debootstrap failed; see $store/debootstrap.log"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    local container
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" copy -q "$container" "$root" / >/dev/null
    "${buildah[@]}" config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    "${buildah[@]}" commit -q --rm "$container" "$base" >/dev/null
    rm -rf "$root"
}

build() { # build TARGET
    local trust=() inside=/run/build-ca.crt
    if [ -e "$ca" ]; then
        trust=(--volume "$ca:$inside:ro" --build-arg "PIP_CERT=$inside" --build-arg "NODE_EXTRA_CA_CERTS=$inside")
    fi
    "${buildah[@]}" bud --quiet --layers --network host --format docker --file docker/Dockerfile --ignorefile .dockerignore \
        --build-arg "BASE_IMAGE=$base" "${trust[@]}" --target "$1" --tag "localhost/joinedup-$1" . >/dev/null
}

serves() { # serves CONTAINER: start the hub in it and ask whether it is ready
    local server status=1
    "${buildah[@]}" run "$1" -- hub init >/dev/null || return 1
    "${buildah[@]}" run --network host --env HUB_HOST=127.0.0.1 --env "HUB_PORT=$port" "$1" -- hub serve --no-work \
        >"$store/hub.log" 2>&1 &
    server=$!
    for _ in $(seq 60); do
        if python3 - "http://127.0.0.1:$port/readyz" 2>/dev/null <<'PYTHON'; then
import sys, urllib.request
print("   ", urllib.request.urlopen(sys.argv[1], timeout=2).read().decode())
PYTHON
            status=0
            break
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.5
    done
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    return $status
}

try_hub() {
    local container status=0
    container=$("${buildah[@]}" from localhost/joinedup-hub)
    serves "$container" || status=1
    "${buildah[@]}" rm "$container" >/dev/null
    return $status
}

list_plugins() { # what the worker's image can run, asked in the plugins' own environment
    local container
    container=$("${buildah[@]}" from localhost/joinedup-worker)
    "${buildah[@]}" run "$container" -- /opt/plugins/bin/python -I -c \
        "from importlib.metadata import entry_points
for plugin in sorted(entry_points(group='joinedup.plugins')): print('    plugin', plugin.name, type(plugin.load()()).__name__)"
    "${buildah[@]}" rm "$container" >/dev/null
}

mkdir -p "$store"
if $fresh; then
    "${buildah[@]}" rm --all >/dev/null
    "${buildah[@]}" rmi --all --force >/dev/null
    umount "$store/storage/overlay" 2>/dev/null || true # buildah leaves its own mount there
    rm -rf "$store"
    mkdir -p "$store"
fi
if ! "${buildah[@]}" inspect --type image "$base" >/dev/null 2>&1; then
    step "Making the base image of Debian $suite (a minute)"
    make_base
fi
for target in hub worker; do
    step "Building localhost/joinedup-$target"
    build "$target"
done
"${buildah[@]}" images --format '{{.Name}} {{.Size}}' | sed -n 's|^localhost/|    |p'
if $start; then
    step "Loading the plugins in the worker's image"
    list_plugins
    step "Starting the hub from its image on 127.0.0.1:$port"
    try_hub || fail "The hub's image was built, but the hub did not become ready; see $store/hub.log"
    step "It serves."
fi
