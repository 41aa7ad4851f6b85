#include "roles/system_calls.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <set>

#include "rfc_test.hpp"
#include "roles/violation.hpp"

using namespace facteur;
using namespace facteur::roles;

TEST_CASE("S80: no role may run programs, look into others or become somebody else, and keys open no connection") {
  for (const Role role : {Role::whole, Role::server, Role::keys}) {
    const auto calls = allowed_calls(role);
    for (const int call : {SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_ptrace, SYS_process_vm_readv, SYS_setuid,
                           SYS_capset, SYS_mount, SYS_bpf, SYS_unshare, SYS_kill, SYS_io_uring_setup}) {
      CHECK_MESSAGE(std::ranges::find(calls, call) == calls.end(), call);
    }
    const std::set<int> once(calls.begin(), calls.end());
    CHECK(once.size() == calls.size());
    CHECK(std::ranges::none_of(calls, is_deadly));
    CHECK(filter_of(role).size() < 4096);  // BPF_MAXINSNS.
  }
  const auto keys = allowed_calls(Role::keys);
  for (const int call : {SYS_connect, SYS_socket, SYS_bind, SYS_listen, SYS_openat, SYS_unlink, SYS_rename}) {
    CHECK_MESSAGE(std::ranges::find(keys, call) == keys.end(), call);
  }
}

TEST_CASE("S80: the report of a refused call is whole or no report") {
  CHECK(!read_violation(""));
  CHECK(!read_violation("V"));
  CHECK(!read_violation("S1234567"));
  const std::string report("V\1\0\0\x3b\0\0\0", 8);
  REQUIRE(read_violation(report));
  CHECK(read_violation(report)->call == 59);
  CHECK(read_violation(report)->deadly);
  CHECK(!read_violation(report + "x"));
}
