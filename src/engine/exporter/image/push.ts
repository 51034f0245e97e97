// Sending an image to one or more repositories: blobs as soon as they exist, manifests when all blobs are there, tags last.
import { setMaxListeners } from "node:events";
import type { StepCall } from "../../../api/index.ts";
import {
  abortReason,
  type Call,
  isAbortError,
  Limiter,
  runAll,
  wrap,
} from "../../../base/index.ts";
import { type Descriptor, type Reference, repositoryName } from "../../../formats/oci/index.ts";
import type { BlobOrigins, BlobReader } from "../../../storage/image/index.ts";
import type { PushRepository, Registry } from "../../../storage/registry/index.ts";
import type { ImageDocument } from "./documents.ts";
import type { PushJournal } from "./push-journal.ts";
import { type MovedTags, moveTags, resumeTagPhases, type TagPhaseParts } from "./tag-phase.ts";

export interface PusherOptions {
  readonly registry: Registry;
  readonly references: readonly Reference[];
  readonly origins: BlobOrigins;
  readonly read: BlobReader;
  readonly journal: PushJournal;
  /** Takes a tag away. Throws where a registry does not do that. */
  untag(repository: string, tag: string, call: Call): Promise<void>;
}

/** Owns the uploads that run in the background. Disposing stops them; what has been sent has no name yet. */
export interface Pusher extends AsyncDisposable {
  /** Starts sending a blob to every repository, once a repository. Failures come out of `during` and `finish`. */
  send(blob: Descriptor): void;
  /** Runs what makes the blobs; it is cancelled when an upload fails, with that failure. */
  during<T>(work: (call: StepCall) => Promise<T>): Promise<T>;
  /**
   * Waits for the blobs, and puts the manifests under their digests in every repository. `children` are what the root
   * lists, in order. After this, a tag is one small request away everywhere.
   */
  stage(children: readonly ImageDocument[], root: ImageDocument, tagged: boolean): Promise<void>;
  /** Moves all tags to the root, or none. */
  tag(root: ImageDocument): Promise<MovedTags>;
}

/** Uploads to one repository at a time; more do not make a registry faster. */
const uploadsPerRepository = 4;

/** Sending fewer bytes than this is not worth a word: configurations, layers of a few files. */
const worthTelling = 64 * 1024;

interface Target {
  readonly name: string;
  /** Everything before the first slash. */
  readonly host: string;
  readonly repository: PushRepository;
  readonly tags: readonly string[];
  readonly limiter: Limiter;
  readonly sent: Map<string, Promise<void>>;
}

export function createPusher(options: PusherOptions, call: StepCall): Pusher {
  const controller = new AbortController();
  const signal = AbortSignal.any([call.signal, controller.signal]);
  // Each upload listens: as many as an image has layers, times the names it gets.
  setMaxListeners(0, signal);
  const own = { ...call, signal };
  const targets = createTargets(options);
  const failures: unknown[] = [];
  const started: Promise<void>[] = [];
  const sendTo = async (target: Target, blob: Descriptor) => {
    try {
      await sendBlob(options, target, blob, own);
    } catch (error) {
      failures.push(wrap(error, `pushing ${blob.digest} to ${target.name}`));
      controller.abort(abortReason("another upload failed"));
    }
  };
  const failure = () => failures.find((one) => !isAbortError(one)) ?? failures[0];
  const settle = async () => {
    await Promise.all(started);
    call.signal.throwIfAborted();
    if (failures.length > 0) throw failure();
  };
  return {
    send(blob) {
      for (const target of targets) {
        if (target.sent.has(blob.digest)) continue;
        const sending = sendTo(target, blob);
        target.sent.set(blob.digest, sending);
        started.push(sending);
      }
    },
    async during(work) {
      try {
        return await work(own);
      } catch (error) {
        throw failure() ?? error;
      }
    },
    async stage(children, root, tagged) {
      await settle();
      await stageManifests(targets, children, root, tagged, own);
    },
    async tag(root) {
      const repositories = new Map(targets.map(({ name, repository }) => [name, repository]));
      const phase: TagPhaseParts = {
        journal: options.journal,
        repository: (name) => repositories.get(name) ?? options.registry.push(name),
        untag: options.untag,
      };
      await resumeTagPhases(phase, own);
      const names = targets.flatMap(({ name, tags }) =>
        tags.map((tag) => ({ repository: name, tag })),
      );
      return await moveTags(phase, root, names, own);
    },
    async [Symbol.asyncDispose]() {
      controller.abort(abortReason("the export ended"));
      await Promise.all(started);
    },
  };
}

function createTargets({ registry, references }: PusherOptions): readonly Target[] {
  const tags = new Map<string, Set<string>>();
  for (const reference of references) {
    const name = repositoryName(reference);
    const known = tags.get(name) ?? new Set<string>();
    tags.set(name, known.add(reference.tag ?? "latest"));
  }
  return [...tags].map(([name, tagsOfName]) => ({
    name,
    host: hostOf(name),
    repository: registry.push(name),
    tags: [...tagsOfName],
    limiter: new Limiter(uploadsPerRepository),
    sent: new Map(),
  }));
}

function hostOf(repository: string): string {
  return repository.slice(0, repository.indexOf("/"));
}

async function sendBlob(
  { origins, read }: PusherOptions,
  target: Target,
  blob: Descriptor,
  call: StepCall,
): Promise<void> {
  using _permit = await target.limiter.acquire(call);
  const mountFrom = origins
    .repositories(blob.digest)
    .filter((repository) => hostOf(repository) === target.host && repository !== target.name);
  const progress = (doing: string, current: number, done: boolean) =>
    call.emit({
      type: "progress",
      step: call.step,
      id: `${doing} ${blob.digest}`,
      at: new Date(),
      current,
      total: blob.size,
      ...(done ? { done } : {}),
    });
  const onProgress = (sent: number) => {
    if (blob.size >= worthTelling) progress("pushing", sent, false);
  };
  const data = () => read(blob, call);
  const outcome = await target.repository.push(blob, data, { mountFrom, onProgress }, call);
  origins.add(blob.digest, target.name);
  // Of what was there already there is nothing to tell.
  if (outcome === "mounted") progress("mounting", blob.size, true);
  if (outcome === "uploaded" && blob.size >= worthTelling) progress("pushing", blob.size, true);
}

/** Everything but the tags: after this, a tag is one small request away everywhere. */
async function stageManifests(
  targets: readonly Target[],
  children: readonly ImageDocument[],
  root: ImageDocument,
  tagged: boolean,
  call: StepCall,
): Promise<void> {
  const staged = children.filter((child) => child.descriptor.digest !== root.descriptor.digest);
  // With a single name to give, staging the root first would only be one more request.
  const rootFirst = !tagged || targets.length > 1;
  await runAll(
    targets,
    async (target, c) => {
      await runAll(staged, (child, cc) => put(target, child, undefined, cc), c);
      if (rootFirst) await put(target, root, undefined, c);
    },
    call,
  );
}

async function put(
  target: Target,
  { descriptor, data }: ImageDocument,
  tag: string | undefined,
  call: { readonly signal: AbortSignal },
): Promise<void> {
  try {
    await target.repository.writeManifest(descriptor, data, tag, call);
  } catch (error) {
    throw wrap(error, `pushing ${descriptor.digest} to ${target.name}`);
  }
}
