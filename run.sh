#!/usr/bin/env bash
# Sets up what is missing, builds, and does the main job: runs the suite on this machine's kernel.
#
#   ./run.sh [OPTION...]          build, then `repro run --against-catalogue OPTION...`: 0 when all is as
#                                 the catalogue has it for this kernel, 1 unexpected, 3 too few exposures
#   ./run.sh build                build only: .build/release/repro and its static guest executable
#   ./run.sh test [--guest]       lint, tests, data races; --guest also boots old kernels
#   ./run.sh matrix [OPTION...]   build, then `repro matrix OPTION...`: scenarios by kernels
#   ./run.sh measure              build, measure all that bugs.txt has scenarios for, rewrite fixtures/measured.txt
#   ./run.sh architectures [OPTION...]     build, then the staged scenarios on every architecture, as Markdown
#   ./run.sh install [--prefix FOLDER]     build; the command, its man page and completions, to /usr/local
#   ./run.sh uninstall [--prefix FOLDER]   removes what that put there
#   ./run.sh faults [NAME...]     plants faults in a copy of the sources, which the tests must catch
#   ./run.sh bench [NAME...]      build, then benchmarks beside their limits and a C program (minutes)
#   ./run.sh mutants [OPTION...]  build, then `repro mutants OPTION...`: kernels with one guard removed each
#   ./run.sh storm [OPTION...]    build, then end N runs (--ends, 300) by signals: nothing may be left
#   ./run.sh fleet-test           8 shards of the staged suite as jobs of a Slurm of one node, which is started
#                                 for it; also a shard that is killed, and one that never runs
#   ./run.sh soak [N]             N bisection steps (100) on a bad and on a good kernel; none may be wrong
set -euo pipefail
cd "$(dirname "$0")"

static_folder=.build-static
python_folder=.build-python
# Test functions that boot guests, in suites named *GuestTests. GuestSuiteTests counts them in the sources.
guest_tests=34

say() { printf '+ %s\n' "$*" >&2; }

# need PACKAGE FILE...: installs the Debian package unless one of the files is there.
missing=()
need() {
  local package=$1 file
  shift
  for file in "$@"; do [ -e "$file" ] && return; done
  missing+=("$package")
}

install_missing() {
  [ ${#missing[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ]; then
    echo "run.sh: these packages are missing: ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
    exit 2
  fi
  say apt-get install -y "${missing[@]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >&2
  apt-get install -yq --no-install-recommends "${missing[@]}" >&2
  missing=()
}

# A Slurm of one node, for the tests of fleets. Its daemons are never started but by Tests/slurm-node.
need_slurm() {
  need slurmctld /usr/sbin/slurmctld
  need slurmd /usr/sbin/slurmd
  need slurm-client /usr/bin/sbatch
  need munge /usr/sbin/munged
  install_missing
}

need_build() {
  need libaio-dev /usr/include/libaio.h
  need libsqlite3-dev /usr/include/sqlite3.h
  install_missing
  if ! command -v swift > /dev/null; then
    echo "run.sh: swift is missing; install Swift 6.3 or later from https://swift.org/install" >&2
    exit 2
  fi
}

need_guests() {
  need qemu-system-x86 /usr/bin/qemu-system-x86_64
  need xz-utils /usr/bin/xz
  need zstd /usr/bin/zstd
  need lz4 /usr/bin/lz4
  need e2fsprogs /usr/sbin/mkfs.ext4
  need xfsprogs /usr/sbin/mkfs.xfs
  need btrfs-progs /usr/bin/mkfs.btrfs /usr/sbin/mkfs.btrfs
  need busybox-static /usr/share/doc/busybox-static
  install_missing
}

# Compilers and emulators of the architectures named, as fixtures/architectures.txt has them.
need_architectures() {
  local name tool package field packages
  for name in "$@"; do
    for field in compiler qemu; do
      read -r tool packages < <(awk -v name="$name" -v field="$field:" \
        '$1 == "name:" { found = $2 == name } found && $1 == field { $1 = ""; print }' fixtures/architectures.txt)
      for package in $packages; do
        case $package in
          libc6-dev*) need "$package" "/usr/share/doc/$package" ;;
          *) need "$package" "/usr/bin/$tool" ;;
        esac
      done
    done
  done
  install_missing
}

# What the benchmarks compare with, and what tells them of the first I/O.
need_bench() {
  need gcc /usr/bin/gcc
  need libc6-dev /usr/include/stdlib.h
  need strace /usr/bin/strace
  install_missing
}

# What compiles a kernel.
need_kernels() {
  need_guests
  need gcc /usr/bin/gcc
  need make /usr/bin/make
  need flex /usr/bin/flex
  need bison /usr/bin/bison
  need bc /usr/bin/bc
  need perl /usr/bin/perl
  need libelf-dev /usr/include/libelf.h
  install_missing
}

# Readers of the report formats that are not ours, for the tests.
need_readers() {
  need python3-venv /usr/lib/python3*/ensurepip
  need chromium /usr/bin/chromium
  need fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
  install_missing
  export REPRO_PYTHON="$PWD/$python_folder/bin/python"
  export REPRO_LAVA="$PWD/$python_folder/lava/usr/lib/python3/dist-packages"
  "$REPRO_PYTHON" -c 'import junitparser, kcidb_io, libkirk, tap, voluptuous, yaml' 2> /dev/null \
    && [ -e "$REPRO_LAVA/lava_common" ] && return
  quietly python3 -m venv "$python_folder"
  quietly "$REPRO_PYTHON" -m pip install --disable-pip-version-check junitparser==3.2.0 \
    kcidb-io==141 kirk==4.2.0 tap.py==3.2.1 voluptuous==0.15.2 pyyaml==6.0.2
  # LAVA's schema is no package of PyPI's: Debian's, unpacked and not installed.
  (
    cd "$python_folder"
    rm -rf lava lava-common_*.deb
    quietly apt-get download lava-common
    dpkg -x lava-common_*.deb lava
  )
}

# Builds quietly; shows the log only of a build that failed.
quietly() {
  local log
  log=$(mktemp)
  say "$@"
  if ! "$@" > "$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# The guest's /init, and what reproducers are sealed into: one file, no libraries. Without the runtimes
# of concurrency and regular expressions, which nothing in it uses, each function once, and without the
# tables that unwind stack frames, it stays below 8 MB.
build_static() {
  quietly swift build -c release --product oneshot --scratch-path "$static_folder" \
    -Xswiftc -static-executable -Xswiftc -Osize -Xswiftc -use-ld=lld -Xlinker -s -Xlinker --gc-sections \
    -Xlinker --icf=all -Xlinker --no-eh-frame-hdr -Xlinker "-T$PWD/fixtures/oneshot.ld" \
    -Xswiftc -Xfrontend -Xswiftc -disable-implicit-concurrency-module-import \
    -Xswiftc -Xfrontend -Xswiftc -disable-implicit-string-processing-module-import
}

build() {
  need_build
  # The Swift libraries within: fewer mappings make a fork, the thing measured, several times faster.
  quietly swift build -c release --product repro --static-swift-stdlib
  build_static
  cp "$static_folder/release/oneshot" .build/release/repro-oneshot
}

run_tests() {
  need_build
  need_readers
  say swift format lint --strict
  swift format lint --strict --recursive Package.swift Sources Tests
  say swift build, swift test
  swift build --build-tests --quiet
  swift test --skip-build
  say swift test --sanitize thread
  # A forked child has its parent's threads no more, and would be told of them as leaks; nor has it to wait a second
  # for them before it exits.
  TSAN_OPTIONS="suppressions=$PWD/Tests/thread-sanitizer.suppressions report_thread_leaks=0 atexit_sleep_ms=0" \
    swift test --sanitize thread --scratch-path .build-thread --quiet --filter 'ReproTests|ReproLabTests'
  if [ "${1:-}" = --guest ]; then
    need_guests
    need_architectures x86-64 arm64 ppc64le
    need_bench
    build
    say guest tests
    # One after the other: two guests at a time on two CPUs leave a race too few exposures.
    local log
    log=$(mktemp)
    REPRO_GUEST_TESTS=1 REPRO_EXECUTABLE="$PWD/.build/release/repro" \
      REPRO_ONESHOT="$PWD/.build/release/repro-oneshot" \
      swift test --skip-build --no-parallel --filter GuestTests 2>&1 | tee "$log"
    require_passed "$log" "$guest_tests"
    rm -f "$log"
  fi
}

# require_passed LOG N: N tests passed. A filter that matches nothing, and skipped tests, pass as well.
require_passed() {
  local count
  count=$(grep -E '^[^ ]+ Test .* passed after ' "$1" | grep -cvE ' Test (run with|case passing) ' || true)
  if [ "$count" -lt "$2" ]; then
    echo "run.sh: $count guest tests passed, and there are $2" >&2
    return 1
  fi
  echo "$count guest tests passed"
}

# decide N KERNEL EXPECTED: N bisection steps, all with the exit code expected.
decide() {
  local wrong=0 code i
  for ((i = 0; i < $1; i++)); do
    code=0
    .build/release/repro bisect --kernel "$2" fork > /dev/null 2>&1 || code=$?
    [ "$code" -eq "$3" ] || wrong=$((wrong + 1))
  done
  echo "$2: $1 decisions, $wrong not $3"
  [ "$wrong" -eq 0 ]
}

fleet_test() {
  need_build
  need_slurm
  build
  say swift build, swift test
  swift build --build-tests --quiet
  REPRO_SLURM=1 swift test --skip-build --no-parallel --filter SlurmRunTests
}

soak() {
  need_guests
  build
  decide "$1" 6.1 1 &
  local bad=$!
  local good=0
  decide "$1" 6.12 0 || good=1
  wait "$bad" && [ "$good" -eq 0 ]
}

# All that the catalogue has scenarios for, on all kernels and architectures, into fixtures/measured.txt. A matrix that
# is not as expected is told at the end; what it lost beyond the catalogue is not written.
measure() {
  mapfile -t names < <(awk '$1 == "name:" { print $2 }' fixtures/architectures.txt)
  need_guests
  need_architectures "${names[@]}"
  build
  local reports status=0
  reports=$(mktemp -d)
  matrix() {
    say repro matrix "$@"
    .build/release/repro matrix "${@:2}" --reports "$reports/$1" || status=$?
  }
  matrix suite --kernels all --schedule staged
  matrix nfs "*" --kernels all --schedule staged --target held-nfs
  matrix race fork --schedule race --memory anon --memory thp --memory hugetlb --engine pread --target scratch
  matrix architectures --arch "$(IFS=,; echo "${names[*]}")" --kernels 6.1,6.12,7.2 --schedule staged
  .build/release/repro measure "$reports"/*/*.jsonl --into fixtures/measured.txt || status=$?
  rm -r "$reports"
  return "$status"
}

# installed PREFIX: the files of an installation.
installed() {
  printf '%s\n' "$1/bin/repro" "$1/bin/repro-oneshot" "$1/share/man/man1/repro.1" \
    "$1/share/bash-completion/completions/repro" "$1/share/zsh/site-functions/_repro" \
    "$1/share/fish/vendor_completions.d/repro.fish"
}

# prefix [--prefix FOLDER]
prefix() {
  case "$#:${1:-}" in
    0:) echo /usr/local ;;
    2:--prefix) echo "${2%/}" ;;
    1:--prefix=*) echo "${1#--prefix=}" ;;
    *)
      echo "run.sh: '$*': only --prefix FOLDER is known here" >&2
      return 2
      ;;
  esac
}

install_all() {
  local to tmp
  to=$(prefix "$@") || exit 2
  build
  # The manual and the completions come from the command's own options.
  quietly swift build --product generate-manual
  tmp=$(mktemp -d)
  quietly .build/debug/generate-manual .build/release/repro --output-directory "$tmp"
  for shell in bash zsh fish; do
    .build/release/repro --generate-completion-script "$shell" > "$tmp/$shell"
  done
  install -D -m 755 -s .build/release/repro "$to/bin/repro"
  install -D -m 755 .build/release/repro-oneshot "$to/bin/repro-oneshot"
  install -D -m 644 "$tmp/repro.1" "$to/share/man/man1/repro.1"
  install -D -m 644 "$tmp/bash" "$to/share/bash-completion/completions/repro"
  install -D -m 644 "$tmp/zsh" "$to/share/zsh/site-functions/_repro"
  install -D -m 644 "$tmp/fish" "$to/share/fish/vendor_completions.d/repro.fish"
  rm -r "$tmp"
  installed "$to"
}

uninstall() {
  local to
  to=$(prefix "$@") || exit 2
  installed "$to" | while read -r file; do rm -fv "$file"; done
}

case "${1:-}" in
  build) build ;;
  install | uninstall)
    command=$1
    shift
    if [ "$command" = install ]; then install_all "$@"; else uninstall "$@"; fi
    ;;
  fleet-test) fleet_test ;;
  soak) soak "${2:-100}" ;;
  test) run_tests "${2:-}" ;;
  measure)
    measure
    ;;
  architectures)
    mapfile -t names < <(awk '$1 == "name:" { print $2 }' fixtures/architectures.txt)
    need_guests
    need_architectures "${names[@]}"
    build
    # A staged trial decides by itself, and five take a third less of a guest's CPU time than twenty.
    exec .build/release/repro matrix --arch "$(IFS=,; echo "${names[*]}")" --kernels 6.1,6.12,7.2 \
      --schedule staged --trials 5 --format markdown "${@:2}"
    ;;
  faults)
    shift
    need_build
    exec Tests/plant-faults "$@"
    ;;
  storm)
    shift
    need_guests
    build
    exec Tests/storm "$@"
    ;;
  matrix)
    shift
    need_guests
    build
    exec .build/release/repro matrix "$@"
    ;;
  bench)
    shift
    need_guests
    need_bench
    build
    quietly swift build -c release --product bench --static-swift-stdlib
    exec .build/release/bench "$@"
    ;;
  mutants)
    shift
    need_kernels
    build
    exec .build/release/repro mutants "$@"
    ;;
  *)
    build
    exec .build/release/repro run --against-catalogue "$@"
    ;;
esac
