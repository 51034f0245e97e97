// The services that carry fsutil's packets, with packets as bytes and as many at a time as there are.
import { rawBatch } from "../../grpc/index.ts";

const packets = {
  requestType: rawBatch,
  requestStream: true,
  responseType: rawBatch,
  responseStream: true,
} as const;

interface PacketMethod {
  readonly name: string;
  readonly requestType: typeof rawBatch;
  readonly requestStream: true;
  readonly responseType: typeof rawBatch;
  readonly responseStream: true;
}

export const fileSyncDefinition: {
  readonly name: string;
  readonly fullName: string;
  readonly methods: { readonly diffCopy: PacketMethod; readonly tarStream: PacketMethod };
} = {
  name: "FileSync",
  fullName: "moby.filesync.v1.FileSync",
  methods: {
    diffCopy: { name: "DiffCopy", ...packets },
    tarStream: { name: "TarStream", ...packets },
  },
};

/** Carries packets for a directory, and `BytesMessage`s for a file. */
export const fileSendDefinition: {
  readonly name: string;
  readonly fullName: string;
  readonly methods: { readonly diffCopy: PacketMethod };
} = {
  name: "FileSend",
  fullName: "moby.filesync.v1.FileSend",
  methods: { diffCopy: { name: "DiffCopy", ...packets } },
};
