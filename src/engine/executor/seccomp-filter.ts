// The system call filter compiled once by libseccomp and kept: compiling it anew costs a step three times its own start.
import { createHash } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";
import { log, requireKoffi, temporaryName, writeFileAtomic } from "../../base/index.ts";
import {
  type ProfileOptions,
  type SeccompProfile,
  type SeccompRule,
  seccompProfile,
} from "./seccomp.ts";

const debug = log("executor");

/** Changes whenever the same profile compiles to something else. */
const revision = 1;

const little = endianness() === "LE";

/**
 * The kernel's form of the default profile for this machine, in base64, from `directory` where an earlier process left
 * it. Undefined where libseccomp or koffi is missing: the runtime then compiles the profile itself, every time.
 */
export function compiledFilter(
  machine: string,
  directory: string,
  options: ProfileOptions = {},
): string | undefined {
  const profile = seccompProfile(machine, options);
  const key = createHash("sha256")
    .update(JSON.stringify([revision, profile]))
    .digest("hex")
    .slice(0, 16);
  const path = join(directory, `seccomp-${key}.bpf`);
  const kept = readKept(path);
  if (kept !== undefined) return toBase64(kept);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const program = compile(profile, directory);
    writeFileAtomic(path, program);
    return toBase64(program);
  } catch (error) {
    debug.debug("no compiled system call filter", { error: String(error) });
    return undefined;
  }
}

function readKept(path: string): Uint8Array | undefined {
  try {
    const program = readFileSync(path);
    return program.length > 0 && program.length % instructionSize === 0 ? program : undefined;
  } catch {
    return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const ACT_ALLOW = 0x7fff0000;
const ACT_ERRNO = 0x00050000;
const ACT_NOTIFY = 0x7fc00000;
const ENOSYS = 38;
const CTL_OPTIMIZE = 8;
const binaryTree = 2;
const unknownCall = -1;
const comparisons: Readonly<Record<string, number>> = { SCMP_CMP_EQ: 4, SCMP_CMP_MASKED_EQ: 7 };

type Callable = (...args: unknown[]) => number;

interface Koffi {
  load(path: string): { func(prototype: string): Callable };
}

/** Numbers from 424 on mean the same on every architecture, so those that an older libseccomp cannot name can be given. */
const newCalls: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
};

/** The last system call that the profile was written with knowledge of, and where other numbering schemes begin. */
const lastKnownCall = 466;
const otherSchemes = 1024;

function compile(profile: SeccompProfile, directory: string): Uint8Array {
  const library = (requireKoffi() as Koffi).load("libseccomp.so.2");
  const init = library.func("void *seccomp_init(uint32_t action)") as unknown as (
    action: number,
  ) => unknown;
  const release = library.func("void seccomp_release(void *filter)");
  const resolve = library.func("int seccomp_syscall_resolve_name(const char *name)");
  const resolveArchitecture = library.func("uint32_t seccomp_arch_resolve_name(const char *name)");
  const filter = init(ACT_ERRNO | profile.defaultErrnoRet);
  if (filter === null) throw new Error("seccomp_init failed");
  try {
    for (const name of profile.architectures) {
      const token = resolveArchitecture(name.replace("SCMP_ARCH_", "").toLowerCase());
      const result = library.func("int seccomp_arch_add(void *filter, uint32_t token)")(
        filter,
        token,
      );
      if (result !== 0 && result !== -17) throw new Error(`seccomp_arch_add ${name}: ${result}`);
    }
    library.func("int seccomp_attr_set(void *filter, int attribute, uint32_t value)")(
      filter,
      CTL_OPTIMIZE,
      binaryTree,
    );
    const add = library.func(
      "int seccomp_rule_add_array(void *filter, uint32_t action, int call, unsigned int count, const void *args)",
    );
    const unnamed: string[] = [];
    for (const rule of profile.syscalls) {
      for (const name of rule.names) {
        const call = resolve(name);
        if (call === unknownCall) unnamed.push(name);
        else
          check(add(filter, actionOf(rule), call, rule.args?.length ?? 0, argumentsOf(rule)), name);
      }
    }
    return new Uint8Array([...prologue(unnamed), ...exportProgram(library, filter, directory)]);
  } finally {
    release(filter);
  }
}

function check(result: number, name: string): void {
  if (result !== 0) throw new Error(`seccomp_rule_add_array ${name}: ${result}`);
}

function actionOf(rule: SeccompRule): number {
  if (rule.action === "SCMP_ACT_ALLOW") return ACT_ALLOW;
  return rule.action === "SCMP_ACT_NOTIFY" ? ACT_NOTIFY : ACT_ERRNO | (rule.errnoRet ?? 1);
}

/** struct scmp_arg_cmp { unsigned int arg; enum op; uint64_t a; uint64_t b } for each argument. */
function argumentsOf(rule: SeccompRule): Uint8Array {
  const args = rule.args ?? [];
  const bytes = new Uint8Array(24 * args.length);
  const view = new DataView(bytes.buffer);
  for (const [index, { index: argument, op, value, valueTwo }] of args.entries()) {
    const comparison = comparisons[op];
    if (comparison === undefined) throw new Error(`unknown comparison ${op}`);
    view.setUint32(24 * index, argument, little);
    view.setUint32(24 * index + 4, comparison, little);
    view.setBigUint64(24 * index + 8, BigInt(value), little);
    view.setBigUint64(24 * index + 16, BigInt(valueTwo ?? 0), little);
  }
  return bytes;
}

function exportProgram(
  library: ReturnType<Koffi["load"]>,
  filter: unknown,
  directory: string,
): Uint8Array {
  const path = join(directory, temporaryName());
  const file = openSync(path, "wx+", 0o600);
  try {
    const result = library.func("int seccomp_export_bpf(void *filter, int file)")(filter, file);
    if (result !== 0) throw new Error(`seccomp_export_bpf: ${result}`);
    const program = new Uint8Array(fstatSync(file).size);
    readSync(file, program, 0, program.length, 0);
    return program;
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}

const instructionSize = 8;
const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER = 0x25;
const JUMP_NOT_LESS = 0x35;
const RETURN = 0x06;

/**
 * Instructions that go before libseccomp's: calls it cannot name are allowed by number, and calls newer than the profile
 * fail with ENOSYS, as on an older kernel; programs take EPERM for a refusal and do not fall back.
 */
export function prologue(unnamed: readonly string[]): Uint8Array {
  const numbers = unnamed.flatMap((name) => newCalls[name] ?? []).toSorted((a, b) => a - b);
  const program: (readonly [code: number, yes: number, no: number, value: number])[] = [
    [LOAD_WORD, 0, 0, 0],
  ];
  for (const number of numbers) {
    program.push([JUMP_EQUAL, 0, 1, number], [RETURN, 0, 0, ACT_ALLOW]);
  }
  program.push(
    [JUMP_GREATER, 0, 2, lastKnownCall],
    [JUMP_NOT_LESS, 1, 0, otherSchemes],
    [RETURN, 0, 0, ACT_ERRNO | ENOSYS],
  );
  const bytes = new Uint8Array(instructionSize * program.length);
  const view = new DataView(bytes.buffer);
  for (const [index, [code, yes, no, value]] of program.entries()) {
    view.setUint16(index * instructionSize, code, little);
    view.setUint8(index * instructionSize + 2, yes);
    view.setUint8(index * instructionSize + 3, no);
    view.setUint32(index * instructionSize + 4, value, little);
  }
  return bytes;
}
