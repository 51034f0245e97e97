// The builder's side of a session: what the asking side lends, through the connection that it opened.
import type { Duplex } from "node:stream";
import type { Attrs, ExportTarget, Session } from "../../../api/index.ts";
import { KilnError, limited, readAll } from "../../../base/index.ts";
import { filesync, secrets, sshforward, upload } from "../../../formats/proto/index.ts";
import {
  type Channel,
  type ClientCall,
  createClient,
  fromStatus,
  type Metadata,
  openTunnel,
  StatusError,
  statusCodes,
} from "../../grpc/index.ts";
import { receiveFiles } from "../fsutil/receive.ts";
import { encodeFilesRequest } from "../fsutil/request.ts";
import { type Packets, sendFiles } from "../fsutil/send.ts";
import { fileSendDefinition, fileSyncDefinition } from "../fsutil/services.ts";
import { metadataKeys, storeNames } from "../metadata.ts";
import { remoteAuth } from "./auth.ts";
import { remoteStore } from "./content.ts";
import { remoteExporters } from "./exporters.ts";
import { remoteCheck } from "./policy.ts";

/** What a session says of itself when it begins. */
export interface SessionInfo {
  readonly id: string;
  readonly name: string;
  readonly sharedKey: string;
  /** Methods that it offers, as `/service/method`; the case of the method does not count. */
  readonly methods: readonly string[];
}

/** Reads what a session says of itself from the metadata with which it begins. */
export function readSessionInfo(metadata: Metadata): SessionInfo {
  const one = (key: string) => metadata.get(key)?.[0] ?? "";
  return {
    id: one(metadataKeys.sessionId),
    name: one(metadataKeys.sessionName),
    sharedKey: one(metadataKeys.sharedKey),
    methods: metadata.get(metadataKeys.sessionMethod) ?? [],
  };
}

/** Secrets are documents, not files. */
const maxSecretSize = 500 * 1024;
/** Largest piece in one message, in bytes: older clients take no more than 4 MiB. */
const pieceSize = 1 << 20;

/** The session is over when the channel is; disposing ends the channel. */
export function remoteSession(channel: Channel, info: SessionInfo): Session & AsyncDisposable {
  const offered = new Set(info.methods.map((method) => method.toLowerCase()));
  const offers = (method: string) => offered.has(method.toLowerCase());
  const files = createClient(fileSyncDefinition, channel);
  const exports = createClient(fileSendDefinition, channel);
  const secretsClient = createClient(secrets.SecretsDefinition, channel);
  const ssh = createClient(sshforward.SSHDefinition, channel);
  const uploads = createClient(upload.UploadDefinition, channel);
  const sendTo = ({ index, response = {} }: ExportTarget): Pick<ClientCall, "sendMetadata"> => ({
    sendMetadata: new Map([
      ...responseMetadata(response),
      [metadataKeys.exporter, [String(index)]],
    ]),
  });
  return {
    sharedKey: info.sharedKey,
    directory: () => undefined,
    files(name, filter, call) {
      if (!offers("/moby.filesync.v1.FileSync/DiffCopy"))
        throw notOffered("no local sources enabled");
      const metadata = encodeFilesRequest({ name, filter });
      return receiveFiles(
        (outgoing, { signal }) =>
          named(files.diffCopy(outgoing, { signal, sendMetadata: metadata })),
        call,
      );
    },
    async receive(target, tar, call) {
      checkTakes(offers);
      const messages = (async function* () {
        for await (const chunk of tar)
          for (let at = 0; at < chunk.length; at += pieceSize) {
            const data = chunk.subarray(at, at + pieceSize);
            yield [filesync.BytesMessage.encode({ data }).finish()];
          }
      })();
      const sending = drain(exports.diffCopy(messages, { ...call, ...sendTo(target) }));
      await sending.catch((error: unknown) => checkRefusal(error, target));
    },
    async receiveFiles(target, shared, call) {
      checkTakes(offers);
      // What is sent depends on what is asked for, and the asking comes on the stream that the sending opens.
      const incoming = new Later();
      const outgoing = sendFiles(shared, incoming, call);
      incoming.open(named(exports.diffCopy(outgoing, { ...call, ...sendTo(target) })));
      await incoming.ended;
    },
    upload(id, call) {
      if (!offers("/moby.upload.v1.Upload/Pull")) return undefined;
      const metadata = new Map([
        [metadataKeys.uploadPath, [`/${id}`]],
        [metadataKeys.uploadHost, ["buildkit-session"]],
      ]);
      return bytesOf(uploads.pull(nothing(), { ...call, sendMetadata: metadata }));
    },
    layout: (name) =>
      offers("/containerd.services.content.v1.Content/Read")
        ? remoteStore(channel, storeNames.layout(name), `oci-layout ${JSON.stringify(name)}`)
        : undefined,
    store: (id) =>
      offers("/containerd.services.content.v1.Content/Read")
        ? remoteStore(channel, id, id.replace(/^local:/, ""))
        : undefined,
    async secret(id, call) {
      const answer = await unless(statusCodes.NOT_FOUND, () =>
        secretsClient.getSecret({ ID: id, annotations: new Map() }, call),
      );
      if (!answer) return undefined;
      const tooLarge = () =>
        new KilnError("REQUEST_INVALID", `secret ${id} is larger than ${maxSecretSize / 1024} KiB`);
      return await readAll(limited(one(answer.data), maxSecretSize, tooLarge), maxSecretSize, id);
    },
    async ssh(id, call) {
      const found = await unless(statusCodes.NOT_FOUND, () => ssh.checkAgent({ ID: id }, call));
      if (!found) return undefined;
      const metadata = new Map([[metadataKeys.sshAgent, [id]]]);
      const connect = (): Duplex =>
        openTunnel((outgoing) => ssh.forwardAgent(outgoing, { ...call, sendMetadata: metadata }));
      return { connect };
    },
    ...remoteExporters(channel, offers),
    ...remoteAuth(channel, offers),
    ...(offers("/moby.buildkit.v1.sourcepolicy.policysession.PolicyVerifier/CheckPolicy")
      ? { checkSource: remoteCheck(channel) }
      : {}),
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
    },
  };
}

/** Longest value that goes along; clients get all of them when the build has ended. */
const maxValue = 8 << 10;

/** What an exporter answers, told to whoever takes its output. Headers are ASCII. */
function responseMetadata(response: Attrs): [string, string[]][] {
  return Object.entries(response)
    .filter(([key, value]) => /^[a-z0-9._-]+$/.test(key) && value.length <= maxValue)
    .filter(([, value]) => /^[\x20-\x7e]*$/.test(value))
    .map(([key, value]) => [`${metadataKeys.exporterResponse}${key}`, [value]]);
}

function notOffered(why: string): KilnError {
  return new KilnError("UNSUPPORTED", why);
}

function checkTakes(offers: (method: string) => boolean): void {
  if (offers("/moby.filesync.v1.FileSend/DiffCopy")) return;
  throw notOffered("method /moby.filesync.v1.FileSend/diffcopy not supported by the client");
}

/** A client that already has what it would get of an image is content, as with the reference; all else is thrown. */
function checkRefusal(error: unknown, { type }: ExportTarget): void {
  if (!(error instanceof StatusError)) throw error;
  const ofImages = type === "oci" || type === "docker";
  if (!ofImages || error.code !== statusCodes.ALREADY_EXISTS) throw fromStatus(error);
}

/** Undefined where the call ends with that status, or its service does not exist. Other statuses become Kiln's errors. */
export async function unless<T>(code: number, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (error.code === code || error.code === statusCodes.UNIMPLEMENTED) return undefined;
    throw fromStatus(error);
  }
}

/** Statuses of a stream become Kiln's errors. */
async function* named<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw error instanceof StatusError ? fromStatus(error) : error;
  }
}

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

async function* bytesOf(messages: AsyncIterable<{ readonly data: Uint8Array }>) {
  for await (const { data } of named(messages)) if (data.length > 0) yield data;
}

async function* one(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield data;
}

async function* nothing(): AsyncIterable<never> {
  yield* [];
}

/** Packets of a stream that is opened later; `ended` settles as the stream does. */
class Later implements AsyncIterable<readonly Uint8Array[]> {
  readonly ended: Promise<void>;
  readonly #source: Promise<Packets>;
  #open: (source: Packets) => void = () => {};
  #settle: (ended: Promise<void>) => void = () => {};

  constructor() {
    this.#source = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.ended.catch(() => {});
  }

  open(source: Packets): void {
    this.#open(source);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Uint8Array[], void> {
    try {
      yield* await this.#source;
      this.#settle(Promise.resolve());
    } catch (error) {
      this.#settle(Promise.reject(error));
      throw error;
    }
  }
}
