#!/usr/bin/env bash
# What the compiler does not hold: form, layers, sizes, and two linters with short lists of checks.
#
#   scripts/check.sh BUILD_DIRECTORY [CHECK ...]     BUILD_DIRECTORY has the built program and gen/
#
# Each check prints what is wrong and fails; the last line counts the checks.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
sources() { git ls-files --cached --others --exclude-standard -- "$@" | sort; }

# --- form ---

check_format() {
    sources 'src/*.[ch]' 'tools/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' |
        xargs -P 2 -n 40 clang-format --dry-run --Werror
}

# Every header compiles alone, after banned.h as in the build.
check_headers() {
    sources 'src/*.h' | grep -v '^src/base/banned\.h$' | build=$build xargs -P 2 -n 1 sh -c '
        echo "#include \"$0\"" | ${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Werror \
            -Wno-unused -I. -Isrc -I"$build/gen" -include src/base/banned.h -x c -'
}

# --- layers: who may include whom, with what these may include in turn ---

edges='
base:
io: base
codec: base
http: io codec
api: codec
store: http
net: io
apiserver: api store
client: http api
controller: client
scheduler: client
dns: client
supervisor: client net
proxy: client net
cni: net codec
runtime: http cni
kubelet: client runtime
programs: cni runtime
cmd: supervisor controller scheduler dns proxy kubelet apiserver
'
check_layers() {
    sources 'src/*.c' 'src/*.h' | xargs grep -HoE '^ *# *include "[a-z0-9_]+/' | awk -v edges="$edges" '
        function grow(d,   i, n, parts) { # closes may[d, *] over the edges
            if (d in grown) return
            grown[d] = 1; may[d, d] = 1
            n = split(direct[d], parts, " ")
            for (i = 1; i <= n; i++) {
                grow(parts[i])
                for (k in may) { split(k, ab, SUBSEP); if (ab[1] == parts[i]) may[d, ab[2]] = 1 }
            }
        }
        BEGIN {
            n = split(edges, lines, "\n")
            for (i = 1; i <= n; i++) if (split(lines[i], kv, ":") == 2) { direct[kv[1]] = kv[2]; order[++m] = kv[1] }
            for (i = 1; i <= m; i++) grow(order[i])
        }
        {
            split($0, at, ":"); split(at[1], path, "/"); from = path[2]
            to = $0; sub(/.*"/, "", to); sub(/\/.*/, "", to)
            if (!(from in direct)) { print at[1] ": a directory that the table does not know"; bad = 1 }
            else if (!((from, to) in may)) { print at[1] ": " from " may not include " to; bad = 1 }
        }
        END { exit bad }'
}

# Which files may include whose headers: a library is known to the few files that own it.
owners='
uv.h src/io/
openssl/ src/io/tls src/codec/ src/store/store_fixture
nghttp2/ src/http/ src/store/ bench/
llhttp.h src/http/
wslay/ src/http/
yaml.h src/codec/
lmdb.h src/store/ bench/
zlib.h src/codec/ src/http/spdy
pcre2.h src/codec/ src/api/
libmnl/ src/net/
archive src/runtime/image/
curl/ src/runtime/image/
'
check_libraries() {
    local bad=0 header places file place found
    while read -r header places; do
        [ -n "$header" ] || continue
        for file in $(sources 'src/*.c' 'src/*.h' | xargs grep -lE "^ *# *include <$header"); do
            found=
            for place in $places; do [[ $file == "$place"* ]] && found=1; done
            [ -n "$found" ] || { echo "$file: <$header> belongs to $places"; bad=1; }
        done
    done <<<"$owners"
    return $bad
}

# What the program links: the design's set and no more.
check_linked() {
    objdump -p "$build/pintle" | awk '
        /NEEDED/ {
            n++
            if ($2 !~ /^lib(c|uv|nghttp2|ssl|crypto|lmdb|pcre2-8|yaml-0|mnl|wslay|z)\.so\./) {
                print "pintle links " $2; bad = 1
            }
        }
        END { exit bad || n < 5 }'
}

# --- sizes ---

# Files: 1,000 lines, tests twice that, headers 300. Functions: 100 lines.
check_sizes() {
    local bad=0
    sources 'src/*.c' 'src/*.h' 'tools/*.c' 'tools/*.h' 'bench/*.c' | xargs wc -l | awk '
        $2 == "total" { next }
        { limit = $2 ~ /\.h$/ ? 300 : $2 ~ /_test\.c$/ ? 2000 : 1000 }
        $2 ~ /_internal\.h$/ { limit = 400 }
        $1 > limit { print $2 ": " $1 " lines, more than " limit; bad = 1 }
        END { exit bad }' || bad=1
    sources 'src/*.c' 'tools/*.c' 'bench/*.c' | grep -v _test.c |
        ctags -L - --languages=C --c-kinds=f --fields=+ne -f - 2>/dev/null | awk -F'\t' '
            /^!/ { next }
            {
                from = to = 0
                for (i = 4; i <= NF; i++) {
                    if ($i ~ /^line:/) from = substr($i, 6)
                    if ($i ~ /^end:/) to = substr($i, 5)
                }
                n++
                if (to && to - from + 1 > 100) { print $2 ":" from ": " $1 ": " to - from + 1 " lines"; bad = 1 }
            }
            END { exit bad || n < 100 }' || bad=1
    return $bad
}

# A base name names one module.
check_names() {
    sources 'src/*.c' 'src/*.h' | sed 's#.*/##' | sort | uniq -d | awk '
        { print $0 ": more than one file of this name"; bad = 1 } END { exit bad }'
}

# Words that hide unfinished work, and calls that wait instead of being woken.
check_words() {
    ! git grep -nIE '\b(TODO|FIXME|XXX|HACK)\b|not (yet )?implemented|\b(u|nano)?sleep\(' -- \
        'src/*.[ch]' 'tools/*.[ch]' 'bench/*.[ch]' ':!*_test.c' ':!*_fixture.h'
}

# --- linters ---

tidy_checks='-*,clang-analyzer-core.*,clang-analyzer-unix.*,clang-analyzer-security.*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier'
tidy_checks+=',-bugprone-assignment-in-if-condition,-bugprone-branch-clone,-bugprone-macro-parentheses'
tidy_checks+=',-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result'
tidy_checks+=',-bugprone-suspicious-include,-bugprone-sizeof-expression,-bugprone-not-null-terminated-result'
tidy_checks+=',misc-redundant-expression,misc-static-assert'
tidy_checks+=',readability-misleading-indentation,readability-redundant-control-flow,cert-err34-c'
check_clang_tidy() {
    # Both counts of suppressed warnings and warnings of generated headers go to stderr; ours do not.
    sources 'src/*.c' 'tools/*.c' | grep -v _test.c | checks=$tidy_checks build=$build xargs -P 2 -n 8 sh -c '
        clang-tidy --quiet --checks="$checks" --warnings-as-errors="*" "$@" -- -std=gnu17 -D_GNU_SOURCE \
            -Isrc -I"$build/gen" -isystem /usr/share/include/llhttp -include src/base/banned.h 2>/dev/null' sh
}

check_cppcheck() {
    local includes cache=$build/cppcheck
    mkdir -p "$cache"
    sources 'src/*.c' 'tools/*.c' | grep -v _test.c | grep -v '^src/http/' >"$cache/files"
    cppcheck --quiet --std=c11 --language=c -j 2 --cppcheck-build-dir="$cache" --file-list="$cache/files" \
        --enable=warning,portability --inline-suppr --error-exitcode=1 --max-configs=1 \
        --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective \
        --suppress=nullPointerRedundantCheck --suppress=nullPointer --suppress=ctunullpointer --suppress=autoVariables \
        --suppress=uninitStructMember --suppress=legacyUninitvar --suppress=unknownMacro -Isrc -I"$build/gen" -D__GNUC__
}

# --- all of them ---

checks=${*:-format headers layers libraries linked sizes names words clang_tidy cppcheck}
passed=0 failed=0
for c in $checks; do
    start=$SECONDS
    if out=$("check_$c" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $c ($((SECONDS - start)) s)"
    else
        failed=$((failed + 1))
        printf '%s\n' "$out" | grep -E ' error: ' | head -n 50 # a linter's notes may be long
        printf '%s\n' "$out" | head -n 100
        echo "failed  $c ($((SECONDS - start)) s)"
    fi
done
echo "check: $passed passed, $failed failed"
[ "$failed" = 0 ]
