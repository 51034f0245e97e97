// A build's details as templates see them: every field of buildx's is there, empty where nothing is known.
import { Struct } from "../../../formats/template/index.ts";
import type { BuildDetails } from "./details.ts";

const empty = {
  Name: "",
  Ref: "",
  Context: "",
  Dockerfile: "",
  VCSRepository: "",
  VCSRevision: "",
  Target: "",
  Platform: [],
  KeepGitDir: false,
  NamedContexts: [],
  StartedAt: "",
  CompletedAt: "",
  Duration: 0,
  Status: "",
  Error: null,
  NumCompletedSteps: 0,
  NumTotalSteps: 0,
  NumCachedSteps: 0,
  BuildArgs: [],
  Labels: [],
  Materials: [],
  Attachments: [],
  Errors: [],
};

const emptyConfig = {
  Network: "",
  ExtraHosts: [],
  Hostname: "",
  CgroupParent: "",
  ImageResolveMode: "",
  MultiPlatform: false,
  NoCache: false,
  NoCacheFilter: [],
  ShmSize: "",
  Ulimit: "",
  CacheMountNS: "",
  DockerfileCheckConfig: "",
  SourceDateEpoch: "",
  SandboxHostname: "",
  RestRaw: [],
};

export function detailsStruct(details: BuildDetails): Struct {
  const { Config = {} } = details;
  const config = new Struct(Config, { ...emptyConfig, ...Config });
  return new Struct(details, { ...empty, ...details, Config: config });
}
