# shellcheck shell=bash
# What builds a kernel of patches/: sourced by test-kernel and test-host, after common.sh.
#
# Uses here, patches and cache_dir; the caller sets
#   package          the package of the source, by fetch_source
#   series_patches   the patches in their order
#   extra_options    lines of a configuration on top of patches/config
#   targets          what to make: vmlinux, and bzImage as well where it has to be booted from a disk
#   with_selftests   whether tools/testing has to be there
#   after_compiling  a command that may put more into $tree/kept
# and has build_kernel put vmlinux, config and warnings into the folder "$result".
: "${here:?}" "${patches:?}" "${cache_dir:?}"
series_patches=()
result=""
extra_options=()
targets=(vmlinux)
with_selftests=false
after_compiling=:
ccache="${CCACHE_DIR:-$cache_dir/ccache}"
kernels="$cache_dir/kernels"
# One place for every build, so that ccache finds what it compiled there before.
tree="$kernels/tree"

# fetch_source SERIES: the package of the first suite that has it.
fetch_source() {
  local suite package said path
  said=$(mktemp)
  while read -r suite package; do
    case "$suite" in '' | '#'*) continue ;; esac
    local where=(--suite "$suite")
    if [ "$suite" = own ]; then where=(); fi
    if path=$("$here/fetch-kernel" ${where[@]+"${where[@]}"} --print-path "$package" 2>"$said"); then
      cat "$said" >&2
      rm -f "$said"
      printf '%s\n' "$path"
      return 0
    fi
  done <"$patches/$1/source"
  note "no source for $1: $(sed -n '$s/^bhbcheck: //p' "$said")"
  rm -f "$said"
  return 69
}

# add_series SERIES: its patches without the cover letter.
add_series() {
  local file
  for file in "$patches/$1"/[0-9]*.patch; do
    case "$file" in */0000-*) ;; *) series_patches+=("$file") ;; esac
  done
}

# What a result depends on. The name of the package holds the version of its content.
digest_of_build() {
  {
    basename "$package"
    gcc --version | head -n 1
    cat "$patches/config" ${series_patches[@]+"${series_patches[@]}"}
    if [ ${#extra_options[@]} -gt 0 ]; then printf '%s\n' "${extra_options[@]}"; fi
    if [ "${targets[*]}" != vmlinux ]; then printf '%s\n' "${targets[@]}"; fi
  } | sha256sum | cut -c 1-16
}

unpack() {
  local archive excluded=()
  rm -rf "$tree"
  mkdir -p "$tree/source" "$tree/objects"
  archive=$(dpkg-deb --fsys-tarfile "$package" | tar -t \
    | awk '/\/linux-source-.*\.tar\./ && !seen++')
  case "$archive" in
    *.xz | *.zst | *.gz | *.bz2) ;;
    *) die 70 "$(basename "$package") holds no archive of the source" ;;
  esac
  dpkg-deb --fsys-tarfile "$package" | tar -x -O "$archive" >"$tree/archive"
  # A third of the files is of no use here: other architectures, their devices, translations. But
  # Kconfig reads something of each architecture, and fs/hostfs the rules of arch/um.
  $with_selftests || excluded=(--exclude='linux-source-*/tools/testing')
  tar -x -C "$tree/source" --strip-components=1 --anchored --no-wildcards-match-slash \
    --exclude='linux-source-*/arch/[!xKu]*/[!cK]*' ${excluded[@]+"${excluded[@]}"} \
    --exclude='linux-source-*/Documentation/devicetree' \
    --exclude='linux-source-*/Documentation/translations' -f "$tree/archive" || die 70 "cannot unpack $archive"
  rm -f "$tree/archive"
}

# apply [-R] PATCH…
apply() {
  local file reverse=()
  if [ "${1:-}" = -R ]; then
    reverse=(-R)
    shift
  fi
  for file in "$@"; do
    patch -d "$tree/source" -p1 -s -F0 --no-backup-if-mismatch ${reverse[@]+"${reverse[@]}"} \
      <"$file" >"$tree/patch.log" 2>&1 \
      || die 65 "$(basename "$file") does not apply to $(basename "$package"):" \
        "$(head -n 1 "$tree/patch.log")"
  done
}

# What every call of make in the tree needs; nothing in a result shall depend on who built it when.
make_in_tree() {
  CCACHE_DIR="$ccache" KBUILD_BUILD_TIMESTAMP=2026-01-01 \
    KBUILD_BUILD_USER=bhbcheck KBUILD_BUILD_HOST=bhbcheck \
    nice -n 10 make -C "$tree/source" O="$tree/objects" "CC=ccache gcc" "$@"
}

configure() {
  cp "$patches/config" "$tree/config"
  if [ ${#extra_options[@]} -gt 0 ]; then printf '%s\n' "${extra_options[@]}" >>"$tree/config"; fi
  make_in_tree -s KCONFIG_ALLCONFIG="$tree/config" allnoconfig \
    >"$tree/config.log" 2>&1 || die 70 "no configuration: $(grep -m 1 -v '^make' "$tree/config.log")"
}

compile() {
  if ! make_in_tree -j "${JOBS:-$(nproc)}" "${targets[@]}" >"$tree/build.log" 2>&1; then
    grep -m 5 -E 'error|Error' "$tree/build.log" >&2 || true
    die 70 "the kernel does not build; see $tree/build.log"
  fi
}

# The products of a build appear in $result as a whole; what the caller put into $tree/kept with them.
keep() {
  local kept
  kept=$(mktemp -d "$kernels/.kept.XXXXXX")
  cp "$tree/objects/vmlinux" "$kept/vmlinux"
  case " ${targets[*]} " in *" bzImage "*) cp "$tree/objects/arch/x86/boot/bzImage" "$kept/" ;; esac
  cp "$tree/objects/.config" "$kept/config"
  if [ -d "$tree/kept" ]; then cp "$tree/kept"/* "$kept/"; fi
  # gcc, ld and objtool say warning, modpost WARNING.
  grep -i 'warning:' "$tree/build.log" | sed "s|$tree/||g" | sort -u >"$kept/warnings" || true
  chmod 755 "$kept"
  rm -rf "$result"
  mv "$kept" "$result"
}

# Only who has to build waits for another build.
lock_builds() {
  mkdir -p "$kernels"
  exec 9>"$kernels/lock"
  flock -n 9 || { note "waiting for another build"; flock 9; }
}

make_tree() {
  unpack
  apply ${series_patches[@]+"${series_patches[@]}"}
  configure
  compile
}

build_kernel() {
  local started=$SECONDS
  [ ! -s "$result/vmlinux" ] || return 0
  lock_builds
  if [ ! -s "$result/vmlinux" ]; then
    case ${#series_patches[@]} in
      0) note "building $(basename "$package" .deb)" ;;
      *) note "building $(basename "$package" .deb) with ${#series_patches[@]} patches" ;;
    esac
    make_tree
    "$after_compiling"
    keep
    # 2 GB that are not needed again.
    rm -rf "$tree"
    note "built in $((SECONDS - started)) s: $result/vmlinux"
  fi
  exec 9>&-
}

# build_variants NAME PATCH…: the kernel of $series_patches with each patch on top, in one tree. Their
# results are $kernels/NAME-…, in the order of the patches in the array `variants`.
build_variants() {
  local name="$1" patch made=false
  local patches_below=(${series_patches[@]+"${series_patches[@]}"})
  shift
  variants=()
  for patch in "$@"; do
    series_patches=(${patches_below[@]+"${patches_below[@]}"} "$patch")
    result="$kernels/$name-$(basename "$patch" .patch)-$(digest_of_build)"
    variants+=("$result")
    if [ -s "$result/vmlinux" ]; then continue; fi
    if ! $made; then
      lock_builds
      note "building $(basename "$package" .deb) with ${#patches_below[@]} patches, for variants of it"
      series_patches=(${patches_below[@]+"${patches_below[@]}"})
      make_tree
      made=true
    fi
    note "building $(basename "$patch" .patch)"
    apply "$patch"
    compile
    keep
    apply -R "$patch"
  done
  series_patches=(${patches_below[@]+"${patches_below[@]}"})
  if $made; then
    rm -rf "$tree"
    exec 9>&-
  fi
}
