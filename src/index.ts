// The library's front door: what Kiln promises to programs that embed it. It holds no logic.
export type {
  Attrs,
  Build,
  BuildEvent,
  Builder,
  BuilderInfo,
  BuildRequest,
  BuildResult,
  Credentials,
  ExportRequest,
  FileEntry,
  FileFilter,
  Session,
  StepState,
  Warning,
} from "./api/index.ts";
export { type Call, type Digest, isKilnError, KilnError, uncancelled } from "./base/index.ts";
export { type EngineOptions, openEngine } from "./engine/engine.ts";
