// Docker's default system call filter: what a step's process may ask of the kernel.

/** One entry of `linux.seccomp.syscalls` in the OCI runtime specification. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO" | "SCMP_ACT_NOTIFY";
  readonly errnoRet?: number;
  readonly args?: readonly {
    readonly index: number;
    readonly value: number;
    readonly valueTwo?: number;
    readonly op: string;
  }[];
}

export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

const EPERM = 1;
const ENOSYS = 38;

/** The flags of clone(2) that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e020000;

export interface ProfileOptions {
  /** `one`: there is no user but root, which package managers do not take for an answer. */
  readonly owners?: "many" | "one";
  /** Whether somebody listens to what gives files away, and notes it, where there is one owner. */
  readonly recorded?: boolean;
}

/**
 * The profile for processes of a machine with this kernel architecture (GOARCH name). Emulated programs make the
 * machine's own system calls, so the architecture is the machine's, not the image's.
 */
export function seccompProfile(
  architecture: string,
  { owners = "many", recorded = false }: ProfileOptions = {},
): SeccompProfile {
  const machine = machines[architecture];
  const gifts = owners === "one" ? giftCalls : [];
  const pretended = owners === "one" ? [...userCalls, ...(recorded ? [] : giftCalls)] : [];
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: machine?.architectures ?? [],
    syscalls: [
      allow(
        [...always, ...(machine?.syscalls ?? [])].filter(
          (name) => !pretended.includes(name) && !gifts.includes(name),
        ),
      ),
      ...(pretended.length === 0 ? [] : [pretend(pretended)]),
      ...(recorded && gifts.length > 0
        ? [{ names: gifts, action: "SCMP_ACT_NOTIFY" as const }]
        : []),
      ...socketFamilies.map((value) => allow(["socket"], { index: 0, value, op: "SCMP_CMP_EQ" })),
      ...personalities.map((value) =>
        allow(["personality"], { index: 0, value, op: "SCMP_CMP_EQ" }),
      ),
      allow(["clone"], {
        index: machine?.cloneFlags ?? 0,
        value: namespaceFlags,
        valueTwo: 0,
        op: "SCMP_CMP_MASKED_EQ",
      }),
      // Its flags lie in memory, where no filter can look; C libraries fall back to clone() on this error.
      { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
    ],
  };
}

/**
 * What turns into another user, and what gives files to one. Where there is one user only these cannot be done, and
 * package managers insist on them: they are told that it was done.
 */
const userCalls: readonly string[] = `
setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32
setresuid setresuid32 setreuid setreuid32 setuid setuid32
`
  .trim()
  .split(/\s+/);
const giftCalls: readonly string[] = "chown chown32 fchown fchown32 fchownat lchown lchown32".split(
  " ",
);

/** An error that is none: the kernel answers 0 without doing anything. */
function pretend(names: readonly string[]): SeccompRule {
  return { names, action: "SCMP_ACT_ERRNO", errnoRet: 0 };
}

function allow(
  names: readonly string[],
  arg?: NonNullable<SeccompRule["args"]>[number],
): SeccompRule {
  return { names, action: "SCMP_ACT_ALLOW", ...(arg === undefined ? {} : { args: [arg] }) };
}

/** Address families 0 to 45 without DECnet, ECONET, ATMSVC, IRDA, WANPIPE, IUCV, CAIF, ALG and VSOCK, which have reached hosts. */
const socketFamilies: readonly number[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ...[
    13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44,
    45,
  ],
];

/** PER_LINUX, PER_LINUX32, either with UNAME26, and "tell me the present one". */
const personalities: readonly number[] = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

interface Machine {
  /** libseccomp's names, the machine's own first, then what its kernel also runs. */
  readonly architectures: readonly string[];
  readonly syscalls?: readonly string[];
  /** Which argument of clone(2) holds the flags; the first, but for s390x. */
  readonly cloneFlags?: number;
}

const armCalls =
  "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2".split(" ");

const machines: Readonly<Record<string, Machine>> = {
  "386": { architectures: ["SCMP_ARCH_X86"], syscalls: ["modify_ldt"] },
  amd64: {
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: ["arch_prctl", "modify_ldt"],
  },
  arm: { architectures: ["SCMP_ARCH_ARM"], syscalls: armCalls },
  arm64: { architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"], syscalls: armCalls },
  loong64: { architectures: ["SCMP_ARCH_LOONGARCH64"] },
  mips64le: { architectures: ["SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"] },
  ppc64le: { architectures: ["SCMP_ARCH_PPC64LE"], syscalls: ["swapcontext", "sync_file_range2"] },
  riscv64: { architectures: ["SCMP_ARCH_RISCV64"], syscalls: ["riscv_flush_icache"] },
  s390x: {
    architectures: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
    syscalls: ["s390_pci_mmio_read", "s390_pci_mmio_write", "s390_runtime_instr"],
    cloneFlags: 1,
  },
};

/** What every process may call, with `chroot`, ptrace and its kin as the default capabilities and kernels from 4.8 allow. */
const always: readonly string[] = `
_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 chroot
clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat
faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl
fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat get_robust_list
get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32
getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
io_pgetevents_time64 io_setup io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr lremovexattr
lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod
mknodat mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease process_vm_readv
process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv
recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2
restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32
setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr
setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair
splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time
timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname
unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
`
  .trim()
  .split(/\s+/);
