# shellcheck shell=bash disable=SC2034
# What the scripts share: where downloads live, and how they speak.

# Packages, lists of the archive and unpacked debug kernels. Everything in it can be fetched again.
cache_dir="${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/bhbcheck"

# One line on stderr, so that stdout stays usable in $(…).
note() {
  printf 'bhbcheck: %s\n' "$*" >&2
}

# die STATUS MESSAGE…: statuses are those of sysexits.h (64 usage, 69 unavailable, 70 internal).
die() {
  local status="$1"
  shift
  note "$@"
  exit "$status"
}

# The value of a key of os-release, empty when there is none.
os_release() {
  # shellcheck disable=SC1091
  (. /etc/os-release 2>/dev/null && eval "printf '%s' \"\${$1:-}\"")
}

# What `apt-get` said went wrong, in one line.
apt_error() {
  local line
  line=$(grep -m1 '^E: ' "$1" || grep -m1 '^Err:' "$1" || true)
  printf '%s' "${line:-no reason given; see $1}"
}
