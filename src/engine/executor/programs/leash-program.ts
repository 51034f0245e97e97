// The program that ties a step to us: what it starts dies as a whole with it, and it dies with us.
import { fragments } from "./fragments.ts";
import { machineCode, type StaticProgram, staticProgram } from "./static-program.ts";

/** What the leash alone holds on to: whoever has the other end is told of its end. */
export const leashDescriptor = 9;

/**
 * Started as `LEASH PATH ARGUMENT...` it asks the kernel to be killed when its parent dies, runs PATH with the arguments, the
 * first being its name, as the first process of a process namespace of its own (where that cannot be had: in ours), waits,
 * and ends with its exit code, with 128 + n after signal n, with 126 when PATH cannot be run. The child is killed when the
 * leash is. Signals other than that pass the leash by: they are for what it holds. The same as `setpriv --pdeathsig KILL
 * unshare --pid --fork --kill-child`, in one start without libraries.
 */
const programs: Readonly<Record<string, StaticProgram>> = {
  amd64: {
    ...fragments.amd64.kind,
    code: machineCode(
      [
        // rbx: number of arguments, r12: arguments, r13: environment
        "488b1c24 4c8d642408 4c8d6cdc10",
        // prctl(PR_SET_PDEATHSIG, SIGKILL)
        "b89d000000 bf01000000 be09000000 0f05",
        // unshare(CLONE_NEWPID)
        "b810010000 bf00000020 0f05",
        // fork; 0 is the child, which goes on below
        "b839000000 0f05 85c0 0f8887000000 7454 89c5",
        // rt_sigprocmask(SIG_BLOCK, all, NULL, 8)
        "6aff b80e000000 31ff 4889e6 31d2 41ba08000000 0f05",
        fragments.amd64.waitForChild,
        fragments.amd64.exitAsChild,
        // child: prctl(PR_SET_PDEATHSIG, SIGKILL)
        "b89d000000 bf01000000 be09000000 0f05",
        // close(9)
        "b803000000 bf09000000 0f05",
        // execve(arguments[1], &arguments[1], environment), or 126
        "498b7c2408 498d742408 4c89ea b83b000000 0f05 bf7e000000 ebc1",
      ].join(" "),
    ),
  },
  arm64: {
    ...fragments.arm64.kind,
    code: machineCode(
      [
        // x19: number of arguments, x20: arguments, x21: environment
        "f30340f9 f4230091 950e138b b5220091",
        // prctl(PR_SET_PDEATHSIG, SIGKILL)
        "200080d2 210180d2 e81480d2 010000d4",
        // unshare(CLONE_NEWPID)
        "0000a4d2 280c80d2 010000d4",
        // clone(SIGCHLD, 0, 0, 0, 0); 0 is the child, which goes on below
        "200280d2 010080d2 020080d2 030080d2 040080d2 881b80d2 010000d4 60030034 c004f837 f603002a",
        // rt_sigprocmask(SIG_BLOCK, all, NULL, 8)
        "00008092 e00f1ff8 000080d2 e1030091 020080d2 030180d2 e81080d2 010000d4",
        fragments.arm64.waitForChild,
        fragments.arm64.exitAsChild,
        // child: prctl(PR_SET_PDEATHSIG, SIGKILL)
        "200080d2 210180d2 e81480d2 010000d4",
        // close(9)
        "200180d2 280780d2 010000d4",
        // execve(arguments[1], &arguments[1], environment), or 126
        "800640f9 81220091 e20315aa a81b80d2 010000d4 c00f8052 f1ffff17",
      ].join(" "),
    ),
  },
};

/** The executable for a machine (GOARCH name); undefined for those that have none here. */
export function leashProgram(machine: string): Uint8Array | undefined {
  const program = programs[machine];
  return program === undefined ? undefined : staticProgram(program);
}
