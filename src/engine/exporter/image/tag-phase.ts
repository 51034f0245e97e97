// The one moment of a push that others can see: all names of an image move to it, or none does.
import type { StepCall } from "../../../api/index.ts";
import {
  type Call,
  isAbortError,
  isKilnError,
  KilnError,
  runAll,
  wrap,
} from "../../../base/index.ts";
import type { Descriptor } from "../../../formats/oci/index.ts";
import type { PushRepository } from "../../../storage/registry/index.ts";
import type { ImageDocument } from "./documents.ts";
import type { OpenEntry, PushJournal, TagMove } from "./push-journal.ts";

export interface TagPhaseParts {
  readonly journal: PushJournal;
  /** Everything is staged there already. */
  repository(name: string): PushRepository;
  /** Takes a tag away. Throws where a registry does not do that. */
  untag(repository: string, tag: string, call: Call): Promise<void>;
}

/** Tags that have moved. */
export interface MovedTags {
  /** All is well: there is no way back. */
  keep(): void;
  /** Puts them back where they still are as they were moved; says what could not be. */
  undo(): Promise<readonly KilnError[]>;
}

/** How long putting tags back may take, in milliseconds: nothing else stops it. */
const undoTime = 60_000;

/**
 * Moves all tags, after having written down what they stood for. When one cannot be moved, or does not stand for the image
 * afterwards, all go back and the failure is thrown, with what could not be put back beside it. Tags that stand for the
 * image already are left alone.
 */
export async function moveTags(
  parts: TagPhaseParts,
  root: ImageDocument,
  names: readonly { readonly repository: string; readonly tag: string }[],
  call: StepCall,
): Promise<MovedTags> {
  const looked = await runAll(names, (name, c) => look(parts, name, c), call);
  const { digest } = root.descriptor;
  const moves = looked.filter(({ before }) => before?.digest !== digest);
  // A single name moves or does not: there is nothing to be torn.
  const entry = moves.length > 1 ? parts.journal.begin({ root, moves }) : undefined;
  const attempts = await Promise.allSettled(moves.map((move) => moveTag(parts, root, move, call)));
  const failed = attempts.filter((one) => one.status === "rejected").map(({ reason }) => reason);
  const undo = () => putBack(parts, root.descriptor, moves, entry);
  if (failed.length > 0) {
    const left = await undo();
    const reason = failed.find((one) => !isAbortError(one)) ?? failed[0];
    throw isAbortError(reason) && left.length === 0 ? reason : withOutcome(reason, moves, left);
  }
  return { keep: () => entry?.close(), undo };
}

async function look(
  parts: TagPhaseParts,
  { repository, tag }: { readonly repository: string; readonly tag: string },
  call: Call,
): Promise<TagMove> {
  const before = await parts.repository(repository).resolve(tag, call);
  return { repository, tag, ...(before ? { before } : {}) };
}

/** Puts one tag and reads it back. */
async function moveTag(
  parts: TagPhaseParts,
  root: ImageDocument,
  { repository: name, tag }: TagMove,
  call: StepCall,
): Promise<void> {
  const { descriptor, data } = root;
  const repository = parts.repository(name);
  const id = `pushing manifest for ${name}:${tag}@${descriptor.digest}`;
  const progress = { type: "progress", step: call.step, id, current: 0 } as const;
  call.emit({ ...progress, at: new Date() });
  try {
    await repository.writeManifest(descriptor, data, tag, call);
  } catch (error) {
    throw wrap(error, `pushing ${descriptor.digest} to ${name}`);
  }
  const found = await repository.resolve(tag, call);
  if (found?.digest !== descriptor.digest) {
    const other = found ? `stands for ${found.digest}` : "is not there";
    throw new KilnError(
      "REGISTRY_FAILED",
      `${name}:${tag} was pushed as ${descriptor.digest}, but ${other} now`,
      { hint: "Somebody else may have pushed the same name at the same moment." },
    );
  }
  call.emit({ ...progress, at: new Date(), done: true });
}

/** Everything back, as far as it is still as we left it. What was pushed meanwhile by others stays theirs. */
async function putBack(
  parts: TagPhaseParts,
  root: Descriptor,
  moves: readonly TagMove[],
  entry: OpenEntry | undefined,
): Promise<readonly KilnError[]> {
  // Whoever cancelled the build wants its names back all the same.
  const call = { signal: AbortSignal.timeout(undoTime) };
  const outcomes = await Promise.allSettled(
    moves.map((move) => putTagBack(parts, root, move, call)),
  );
  const left = outcomes.flatMap((one, at) => {
    if (one.status === "fulfilled") return [];
    const { repository = "", tag = "", before } = moves[at] ?? {};
    const was = before ? `stood for ${before.digest}` : "did not exist";
    return [
      new KilnError(
        "REGISTRY_FAILED",
        `${repository}:${tag} could not be put back; it ${was} before: ${wordsOf(one.reason)}`,
        { cause: one.reason },
      ),
    ];
  });
  // What could not be put back is tried again by the next push.
  if (left.length === 0) entry?.close();
  return left;
}

async function putTagBack(
  parts: TagPhaseParts,
  root: Descriptor,
  { repository: name, tag, before }: TagMove,
  call: Call,
): Promise<void> {
  const repository = parts.repository(name);
  const now = await repository.resolve(tag, call);
  if (now?.digest !== root.digest) return;
  if (!before) return await parts.untag(name, tag, call);
  const data = await repository.readManifest(before, call);
  await repository.writeManifest(before, data, tag, call);
}

function withOutcome(
  reason: unknown,
  moves: readonly TagMove[],
  left: readonly KilnError[],
): unknown {
  const words =
    left.length === 0
      ? "every name stands for what it stood for before"
      : "some names could not be put back";
  const message = `${wordsOf(reason)} (${moves.length === 1 ? "the name was not moved" : words})`;
  if (!isKilnError(reason)) return left.length === 0 ? reason : left[0];
  return new KilnError(reason.code, message, {
    cause: reason,
    details: reason.details,
    ...(reason.hint === undefined ? {} : { hint: reason.hint }),
    ...(left.length === 0 ? {} : { others: left }),
  });
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Ends what a process left that died while it moved tags: goes on where every tag is still as it was or already moved,
 * else goes back. Registries that do not answer leave it to the next push.
 */
export async function resumeTagPhases(parts: TagPhaseParts, call: StepCall): Promise<void> {
  for (const entry of parts.journal.abandoned()) {
    const { root, moves } = entry;
    const names = moves.map(({ repository, tag }) => `${repository}:${tag}`).join(", ");
    const id = `completing an interrupted push of ${root.descriptor.digest} to ${names}`;
    const progress = { type: "progress", step: call.step, id, current: 0 } as const;
    call.emit({ ...progress, at: new Date() });
    try {
      await complete(parts, entry, call);
    } catch (error) {
      call.signal.throwIfAborted();
      const left = await putBack(parts, root.descriptor, moves, entry);
      const outcome = left.length === 0 ? "every name was put back" : left.map(wordsOf).join("; ");
      const message = `${id}: ${wordsOf(error)}; ${outcome}`;
      call.emit({ type: "warning", step: call.step, warning: { message }, at: new Date() });
    }
    call.emit({ ...progress, at: new Date(), done: true });
  }
}

async function complete(parts: TagPhaseParts, entry: OpenEntry, call: StepCall): Promise<void> {
  const { root, moves } = entry;
  const open = await runAll(
    moves,
    async (move, c) => {
      const { before } = await look(parts, move, c);
      if (before?.digest === root.descriptor.digest) return [];
      // Somebody has pushed the name since: it is theirs.
      return before?.digest === move.before?.digest ? [move] : [];
    },
    call,
  );
  await runAll(open.flat(), (move, c) => moveTag(parts, root, move, { ...call, ...c }), call);
  entry.close();
}
