# Steps with names, for `run` and `nightly`. To be sourced.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TERM_COLOR=never RUST_BACKTRACE=1

names=()
declare -A titles commands

# Adds a step: its name, what it is, and a command.
step() {
    names+=("$1")
    titles[$1]=$2
    commands[$1]="${*:3}"
}

# Installs Debian packages.
install() {
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Installs Debian packages unless a command is there.
install_unless_there() {
    command -v "$1" >/dev/null || install "${@:2}"
}

run_step() {
    began=$SECONDS
    printf '\n=== %s: %s\n' "$1" "${titles[$1]}"
    # The command is a line of this script.
    eval "${commands[$1]}"
    printf -- '--- %s s\n' $((SECONDS - began))
}

# Runs the steps that are named, all without any; `--list` names them.
run_steps() {
    chosen=("$@")
    if [ "$*" = --list ]; then
        for name in "${names[@]}"; do printf '%-13s %s\n' "$name" "${titles[$name]}"; done
        return
    fi
    for name in "${chosen[@]}"; do
        if [ -z "${titles[$name]:-}" ]; then
            echo "there is no step $name; --list names them" >&2
            return 2
        fi
    done
    [ "$#" -gt 0 ] || chosen=("${names[@]}")
    rustup component add rustfmt clippy >/dev/null 2>&1 || true
    for name in "${chosen[@]}"; do run_step "$name"; done
    printf '\nAll is well, after %s s.\n' "$SECONDS"
}
