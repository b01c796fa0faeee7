# Pintle's one Makefile. Sources are found by directory; everything made lands in $(B).
#
#   make                 build/pintle
#   make up              as root: installs what is missing, builds, starts a cluster; ARGS="--nodes 2" goes to pintle up
#   make demo            a Python script in containers answers through a Service of that cluster
#   make down            stops it; nothing of it stays but its state (ARGS=--purge: nor that)
#   make install         programs and a systemd unit below PREFIX (/usr/local); DESTDIR goes before it
#   make test            installs what tests need, builds, runs every test
#   make unit            unit tests; DIRS="base codec" of some directories, FILTER='json*/*' by name
#   make e2e             tests from outside, with real clients; ARGS="-k watch" goes to pytest
#   make check           formatting, layers, sizes, banned calls, linters
#   make fuzz            every fuzz target for FUZZ_SECONDS each
#   make bench           what we claim, measured (docs/benchmarks.md)
#   make test-vm         the built tree in a qemu guest: control groups v2, a reboot, power cuts (tests/vm/README.md)
#   make test-long       sanitizer and compiler matrix, long fuzzing
#   make clean
#
#   MODE=debug|asan|tsan|fuzz CC=gcc|clang   other builds, each in a directory of its own
#   V=1                                      shows the commands

MODE ?= release
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
VARIANT := $(if $(filter-out release,$(MODE)),-$(MODE))$(if $(filter-out gcc,$(notdir $(CC))),-$(notdir $(CC)))
B ?= build$(VARIANT)

Q := $(if $(V),,@)

LAYERS := base io codec http api store net apiserver client controller scheduler dns supervisor proxy cni runtime kubelet
DIRS ?= $(LAYERS)

PKGS := libuv libnghttp2 openssl libpcre2-8 yaml-0.1 zlib libmnl
LLHTTP_DIR := /usr/share/llhttp
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llmdb -lwslay -lm

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wwrite-strings -Wcast-qual -Wvla -Wundef -Wpointer-arith -Wformat=2 \
	-Wimplicit-fallthrough -Wno-format-zero-length -Werror
ifneq (,$(findstring clang,$(CC)))
WARNINGS += -Wno-gnu-zero-variadic-macro-arguments -Wno-missing-field-initializers
else
WARNINGS += -Wduplicated-cond -Wlogical-op -Wjump-misses-init -Wno-missing-field-initializers
endif

OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection -fcf-protection
OPT_debug := -O0 -g3 -DPINTLE_DEBUG
OPT_asan := -O1 -g -DPINTLE_DEBUG -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_tsan := -O1 -g -DPINTLE_DEBUG -fno-omit-frame-pointer -fsanitize=thread
# Clang's alone: the address and undefined-behaviour sanitizers and the coverage that fuzzing steers by.
OPT_fuzz := -O1 -g -DPINTLE_DEBUG -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LINK_release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
LINK_fuzz := -fsanitize=address,undefined

BASE_CFLAGS := -std=gnu17 -D_GNU_SOURCE -fno-common -fstack-protector-strong -ffunction-sections -fdata-sections \
	$(OPT_$(MODE)) -Isrc -I$(B)/gen $(PKG_CFLAGS) $(CFLAGS)
ALL_CFLAGS := $(BASE_CFLAGS) $(WARNINGS) -include src/base/banned.h
ALL_LDFLAGS := $(LINK_$(MODE)) $(LDFLAGS)

src_of = $(filter-out %_test.c,$(wildcard src/$(1)/*.c src/$(1)/*/*.c src/$(1)/*/*/*.c))
tests_of = $(wildcard src/$(1)/*_test.c src/$(1)/*/*_test.c src/$(1)/*/*/*_test.c)
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIB_SRCS := $(foreach d,$(DIRS),$(call src_of,$(d)))
TEST_SRCS := $(foreach d,$(DIRS),$(call tests_of,$(d)))
CMD_SRCS := $(call src_of,cmd)
KAPI_FILES := $(wildcard api/*.kapi api/rules/*.kapi)
HAS_API := $(and $(filter api,$(DIRS)),$(KAPI_FILES))
GEN_SRCS := $(if $(HAS_API),$(B)/gen/api_tables.c $(B)/gen/api_resources.c)
LLHTTP_OBJS := $(if $(filter http,$(DIRS)),$(addprefix $(B)/llhttp/,api.o http.o llhttp.o))
LIB_OBJS := $(call obj,$(LIB_SRCS)) $(GEN_SRCS:.c=.o) $(LLHTTP_OBJS) \
	$(if $(and $(HAS_API),$(filter apiserver,$(DIRS))),$(B)/gen/openapi_documents.o)

.PHONY: all install up down demo programs help unit kapic-test e2e test test-vm check fuzz fuzz-run bench bench-programs test-long clean
all: $(B)/pintle programs
help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

# What a newcomer does. The build is a make of its own: packages may have just arrived.
up:
	scripts/deps.sh build run
	$(MAKE) -j$(shell nproc) all
	@scripts/up.sh $(B) $(ARGS)
demo:
	@scripts/demo.sh $(B) $(ARGS)
down:
	@if [ -x $(B)/pintle ]; then $(B)/pintle down $(ARGS); else echo "nothing was built here, so nothing is up"; fi

# Without the libraries every other message would mislead. Goals that install them go on.
ifeq (,$(filter up down demo test test-vm bench help clean test-long,$(MAKECMDGOALS)))
ifneq (yes,$(shell pkg-config --exists $(PKGS) 2>/dev/null && test -d $(LLHTTP_DIR) && echo yes))
$(error packages are missing: run 'scripts/deps.sh build' as root (or 'make test', which does))
endif
endif

# The schema compiler, and what it makes.
KAPIC_SRCS := $(wildcard tools/kapic/*.c) $(call src_of,base)
$(B)/kapic: $(call obj,$(KAPIC_SRCS))
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
# A short run that frees nothing: its leaks are none.
$(B)/gen/made: $(B)/kapic $(KAPI_FILES)
	@mkdir -p $(B)/gen/api
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(B)/kapic -o $(B)/gen $(KAPI_FILES)
	@touch $@
$(B)/gen/api_tables.c $(B)/gen/api_resources.c: $(B)/gen/made ;
$(B)/gen/%.o: $(B)/gen/%.c
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
ifneq (,$(HAS_API))
$(call obj,$(foreach d,$(filter-out base io codec http store net,$(DIRS)),$(call src_of,$(d)) $(call tests_of,$(d))) $(CMD_SRCS)): | $(GEN_SRCS)
endif

# llhttp comes from Debian's package as sources; compiled from there, not kept here.
$(B)/llhttp/%.o: $(LLHTTP_DIR)/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -w -DLLHTTP_STRICT_MODE=1 $(filter -O% -g% -f%,$(OPT_$(MODE))) -ffunction-sections -I/usr/include/llhttp -I/usr/share/include/llhttp -c -o $@ $<
$(B)/obj/src/http/%.o: ALL_CFLAGS += -isystem /usr/share/include/llhttp

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libpintle.a: $(LIB_OBJS)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# The OpenAPI documents are printed by the tables' own code, compressed, and linked in.
OPENAPI_SRCS := $(call src_of,base) $(call src_of,codec) $(call src_of,api)
$(B)/openapigen: $(call obj,tools/openapigen/openapigen.c $(OPENAPI_SRCS)) $(GEN_SRCS:.c=.o)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(B)/gen/openapi_documents.c: $(B)/openapigen
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(B)/openapigen $@
$(call obj,tools/openapigen/openapigen.c): | $(GEN_SRCS)

# What docs/api.md says of the tables: scripts/api-docs.py.
$(B)/apidoc: $(call obj,tools/apidoc/apidoc.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread
$(call obj,tools/apidoc/apidoc.c): | $(GEN_SRCS)
docs: $(B)/apidoc
	$(Q)scripts/api-docs.py $(B)/apidoc

$(B)/pintle: $(call obj,$(CMD_SRCS)) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread

# The node's helper programs, each with the libraries that it needs and no more.
PROGRAMS := $(B)/pintle-cni $(B)/pintle-sandbox $(B)/pintle-pause $(B)/pintle-image
programs: $(PROGRAMS)
$(B)/pintle-cni: $(call obj,src/programs/pintle_cni.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -Wl,--as-needed -o $@ $^ $(shell pkg-config --libs libmnl) -lpthread
$(B)/pintle-image: $(call obj,src/programs/pintle_image.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -Wl,--as-needed -o $@ $^ -larchive -lcurl -lyaml -lcrypto -lpthread
$(B)/pintle-sandbox: $(call obj,src/programs/pintle_sandbox.c)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
$(B)/pintle-pause: src/programs/pintle_pause.c
	@mkdir -p $(@D)
	$(Q)$(CC) -Os -nostdlib -static -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pie \
		$(filter-out -include src/base/banned.h,$(WARNINGS)) -Wl,--build-id=none -Wl,-z,norelro -Wl,-n -s -o $@ $<

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pintle $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -t $(DESTDIR)$(PREFIX)/lib/pintle $(B)/pintle $(PROGRAMS)
	ln -sf ../lib/pintle/pintle $(DESTDIR)$(PREFIX)/bin/pintle
	sed 's|@PREFIX@|$(PREFIX)|' dist/pintle.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/pintle.service

# Unit tests: foo_test.c beside foo.c, one program under Criterion, linked from the archive.
$(B)/obj/%_test.o: ALL_CFLAGS += -Wno-conversion -Wno-shadow
CRITERION := -lcriterion
ifeq (tsan,$(MODE))
# Criterion does not start under the thread sanitizer; a small one of ours stands in for it.
CRITERION :=
CRITERION_OBJ := $(B)/obj/tests/shim/criterion/criterion.o
$(B)/obj/%_test.o $(CRITERION_OBJ): ALL_CFLAGS += -Itests/shim
endif
$(B)/unit-tests: $(call obj,$(TEST_SRCS)) $(CRITERION_OBJ) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -Wl,--as-needed -larchive -lcurl $(CRITERION) -lpthread
unit: $(B)/unit-tests $(if $(filter cni runtime,$(DIRS)),$(PROGRAMS))
	$(B)/unit-tests $(if $(FILTER),--filter='$(FILTER)') --timeout 60

# The schema compiler's messages, and the program from outside.
kapic-test: $(B)/kapic
	scripts/test-tools.sh
	KAPIC=$(B)/kapic build/tools/venv/bin/python -m pytest -q -p no:cacheprovider tests/kapic
e2e: $(B)/pintle
	scripts/test-tools.sh
	tests/e2e/run --pintle $(B)/pintle $(ARGS)

test:
	scripts/deps.sh build test
	$(MAKE) -j$(shell nproc) all $(B)/unit-tests
	$(MAKE) unit
	$(MAKE) kapic-test
	$(MAKE) e2e

# Minutes: all of it runs in emulation.
test-vm:
	scripts/deps.sh build demo vm
	$(MAKE) -j$(shell nproc) all $(B)/unit-tests
	tests/vm/run --build $(B) $(ARGS)

check:
	CC=$(CC) scripts/check.sh $(B)

# Fuzz targets are built by clang in their own directory: `make fuzz` is its own caller.
FUZZ_SECONDS ?= 10
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz:
	$(MAKE) MODE=fuzz CC=clang FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz-run
fuzz-run: $(FUZZ_TARGETS)
	scripts/fuzz.sh $(FUZZ_SECONDS) $^
$(B)/obj/tests/fuzz/%.o: ALL_CFLAGS += -Wno-missing-prototypes -Itests/fuzz
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/libpintle.a
	@mkdir -p $(@D)
	$(Q)$(CC) -fsanitize=fuzzer $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -Wl,--as-needed -larchive -lpthread

# Hours are welcome here: what a nightly run does.
test-long:
	scripts/deps.sh build test
	$(MAKE) CC=clang all unit
	$(MAKE) MODE=debug all unit
	$(MAKE) MODE=asan all unit
	$(MAKE) MODE=tsan unit
	$(MAKE) MODE=asan e2e
	$(MAKE) fuzz FUZZ_SECONDS=300
	$(MAKE) test-vm

# What the benches run beside the program itself.
BENCH_PROGRAMS := $(B)/http_load $(B)/bench-lmdb $(B)/bench-codec $(B)/bench-watch $(B)/bench-schedule $(B)/bench-dns $(B)/bench-services
BENCHES := start codec schedule api-get api-list api-create api-patch api-table apply crd watch-fanout idle-connections scale up pod-start idle dns services
bench-programs: $(BENCH_PROGRAMS)
$(B)/http_load: $(call obj,bench/http_load.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread
$(B)/bench-lmdb: $(call obj,bench/lmdb_floor.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread

# The codecs beside simdjson, which is C++.
$(B)/bench-codec: $(call obj,bench/bench_codec.c) $(B)/obj/bench/simdjson_floor.o $(B)/libpintle.a
	$(Q)$(CXX) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ -lsimdjson $(PKG_LIBS) -lpthread
$(B)/obj/bench/simdjson_floor.o: bench/simdjson_floor.cc
	@mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -O2 -fPIE -Wall -Wextra -Werror -c -o $@ $<
$(call obj,bench/bench_codec.c): | $(GEN_SRCS)

# The scheduler's algorithm, in process.
$(B)/bench-schedule: $(call obj,bench/bench_schedule.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread
$(call obj,bench/bench_schedule.c): | $(GEN_SRCS)

# Watchers, and the floor beside them.
$(B)/bench-services: $(call obj,bench/bench_services.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread
$(call obj,bench/bench_services.c): | $(GEN_SRCS)
$(B)/bench-dns: $(call obj,bench/dns_load.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
$(B)/bench-watch: $(call obj,bench/watch_fanout.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread

# The bare HTTP server beside nghttpd: bench/http-floor $(B).
$(B)/bench-http: $(call obj,bench/http_floor.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread

# The store beside bare LMDB, in process.
$(B)/bench-store: $(call obj,bench/bench_store.c) $(B)/libpintle.a
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--gc-sections -o $@ $^ $(PKG_LIBS) -lpthread

bench:
	scripts/deps.sh build run bench
	$(MAKE) all bench-programs
	@for b in $(BENCHES); do echo "== $$b"; bench/$$b $(B) || exit 1; done

clean:
	rm -rf build build-*

-include $(shell find $(B)/obj $(B)/gen -name '*.d' 2>/dev/null)
