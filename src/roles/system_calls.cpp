#include "roles/system_calls.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <utility>

namespace facteur::roles {

#if defined(__x86_64__)

namespace {

constexpr unsigned thread_flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                                  CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
constexpr unsigned any_socket_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
// For names that the headers of Debian 12 do not have yet.
constexpr unsigned anonymous_name = 0x53564d41;  // PR_SET_VMA: allocators name their memory.

// What glibc, its allocator and threads need, and time, chance, signals, messages on open sockets, and the end.
constexpr int basic[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_lseek,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_sched_yield,
    SYS_getcpu,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_membarrier,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_sched_getaffinity,
    SYS_set_tid_address,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_exit,
    SYS_exit_group,
    SYS_restart_syscall,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_time,
    SYS_getrandom,
    SYS_ppoll,
    SYS_poll,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_fcntl,
    SYS_pread64,
    SYS_getdents64,
};

// The server: files below its folders (Landlock says which), sockets, threads.
constexpr int serving[] = {
    SYS_open,
    SYS_openat,
    SYS_openat2,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlink,
    SYS_readlinkat,
    SYS_getcwd,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_msync,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_fadvise64,
    SYS_readahead,
    SYS_rename,
    SYS_renameat,
    SYS_renameat2,
    SYS_unlink,
    SYS_unlinkat,
    SYS_mkdir,
    SYS_mkdirat,
    SYS_rmdir,
    SYS_link,
    SYS_linkat,
    SYS_flock,
    SYS_statfs,
    SYS_fstatfs,
    SYS_chmod,
    SYS_fchmod,
    SYS_utimensat,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_shutdown,
    SYS_recvmmsg,
    SYS_sendmmsg,
    SYS_epoll_create,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_select,
    SYS_pselect6,
    SYS_eventfd2,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_pipe,
    SYS_pipe2,
    SYS_dup,
    SYS_memfd_create,
    SYS_mincore,
    SYS_getrlimit,
    SYS_setrlimit,
    SYS_prlimit64,
    SYS_getrusage,
    SYS_times,
    SYS_sysinfo,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_getpriority,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_ioprio_get,
    SYS_get_mempolicy,
};

constexpr int deadly[] = {
    SYS_execve,
    SYS_execveat,
    SYS_fork,
    SYS_vfork,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_capset,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_open_by_handle_at,
    SYS_mknod,
    SYS_mknodat,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_reboot,
    SYS_swapon,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_symlink,
    SYS_symlinkat,
};

class Program {
 public:
  Program() {
    load(offsetof(seccomp_data, arch));
    // Another machine's calls (32-bit ones included) have other numbers: none of them.
    jump(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
    give(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(seccomp_data, nr));
    // No call at all: a tracer has taken it back (tests make calls fail so). There is nothing to refuse.
    jump(BPF_JEQ, 0xffffffffU, 0, 1);
    give(SECCOMP_RET_ALLOW);
    jump(BPF_JGE, 0x40000000U, 0, 1);  // The x32 numbers.
    give(SECCOMP_RET_KILL_PROCESS);
  }
  void allow(int call) {
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, 1);
    give(SECCOMP_RET_ALLOW);
  }
  // Allowed if none of `bits` is set in the argument.
  void allow_without(int call, unsigned argument, unsigned bits) {
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, 4);
    load_argument(argument);
    jump(BPF_JSET, bits, 1, 0);
    give(SECCOMP_RET_ALLOW);
    give(SECCOMP_RET_TRAP);
  }
  // Allowed if the argument, without the bits of `ignored`, is one of `values`.
  void allow_with(int call, unsigned argument, std::initializer_list<unsigned> values, unsigned ignored = 0) {
    const auto count = static_cast<unsigned char>(values.size());
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, static_cast<unsigned char>(count + 4));
    load_argument(argument);
    code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~ignored));
    unsigned char left = count;
    for (const unsigned value : values) jump(BPF_JEQ, value, left--, 0);
    give(SECCOMP_RET_TRAP);
    give(SECCOMP_RET_ALLOW);
  }
  // Allowed unless the argument is this.
  void allow_but(int call, unsigned argument, unsigned value) {
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, 4);
    load_argument(argument);
    jump(BPF_JEQ, value, 1, 0);
    give(SECCOMP_RET_ALLOW);
    give(SECCOMP_RET_TRAP);
  }
  // Goes on with the rules below only if the argument, without the bits of `ignored`, is one of `values`.
  void only_with(int call, unsigned argument, std::initializer_list<unsigned> values, unsigned ignored = 0) {
    const auto count = static_cast<unsigned char>(values.size());
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, static_cast<unsigned char>(count + 4));
    load_argument(argument);
    code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~ignored));
    unsigned char left = count;
    for (const unsigned value : values) jump(BPF_JEQ, value, left--, 0);
    give(SECCOMP_RET_TRAP);
    load(offsetof(seccomp_data, nr));
  }
  // Fails as in a kernel that does not have it.
  void refuse_quietly(int call, int error) {
    jump(BPF_JEQ, static_cast<unsigned>(call), 0, 1);
    give(SECCOMP_RET_ERRNO | static_cast<unsigned>(error));
  }
  std::vector<sock_filter> take() {
    give(SECCOMP_RET_TRAP);
    return std::move(code_);
  }

 private:
  void load(std::size_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset))); }
  // The low half: the arguments we look at are ints for the kernel, which does not look at the other one.
  void load_argument(unsigned argument) { load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t)); }
  void jump(unsigned condition, unsigned value, unsigned char yes, unsigned char no) {
    code_.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | condition | BPF_K), value, yes, no));
  }
  void give(unsigned result) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, result)); }
  std::vector<sock_filter> code_;
};

// Sockets of mail, DNS and this machine; none of the kernel (netlink, packet, vsock, algorithms), none that is raw.
void allow_sockets(Program& program) {
  for (const int call : {SYS_socket, SYS_socketpair}) {
    program.only_with(call, 0, {AF_UNIX, AF_INET, AF_INET6});
    program.allow_with(call, 1, {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}, any_socket_flags);
  }
}

}  // namespace

std::vector<int> allowed_calls(Role role) {
  std::vector<int> out(std::begin(basic), std::end(basic));
  if (role != Role::keys) out.insert(out.end(), std::begin(serving), std::end(serving));
  return out;
}

std::vector<sock_filter> filter_of(Role role) {
  Program program;
  for (const int call : allowed_calls(role)) program.allow(call);
  // Threads, but no processes and no namespaces: the flags of pthread_create(). glibc tries clone3 before, whose flags
  // a filter cannot see, and takes the other one where there is none.
  program.refuse_quietly(SYS_clone3, ENOSYS);
  program.allow_with(SYS_clone, 0, {thread_flags});
  // Nothing that was written may be run.
  program.allow_without(SYS_mmap, 2, PROT_EXEC);
  program.allow_without(SYS_mprotect, 2, PROT_EXEC);
  program.allow_with(SYS_tgkill, 0, {static_cast<unsigned>(::getpid())});  // abort().
  program.allow_with(SYS_prctl, 0, {PR_SET_NAME, PR_GET_NAME, anonymous_name, PR_CAPBSET_READ});
  program.allow_but(SYS_rt_sigaction, 0, SIGSYS);  // The report of a violation cannot be switched off.
  if (role == Role::keys) {
    constexpr unsigned writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
    program.refuse_quietly(SYS_openat2, ENOSYS);  // Its flags cannot be seen; who has none of it takes openat.
    program.allow_without(SYS_openat, 2, writing);
    program.allow_without(SYS_open, 1, writing);
  } else {
    allow_sockets(program);
    program.allow_with(SYS_ioctl, 1, {FIONBIO, FIONREAD, TCGETS});
  }
  return program.take();
}

bool is_deadly(int call) { return std::ranges::find(deadly, call) != std::end(deadly); }

#else

std::vector<int> allowed_calls(Role) { return {}; }
std::vector<sock_filter> filter_of(Role) { return {}; }
bool is_deadly(int) { return false; }

#endif

}  // namespace facteur::roles
