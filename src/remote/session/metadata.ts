// Names of the metadata that go with calls through a session.

export const metadataKeys = {
  /** Which of a request's exporters delivers: its index. */
  exporter: "buildkit-attachable-exporter-id",
  /** Before the name of something that the exporter answers. */
  exporterResponse: "exporter-md-",
  /** Which content store is meant. */
  store: "buildkit-attachable-store-id",
  sshAgent: "buildkit.ssh.id",
  uploadPath: "urlpath",
  uploadHost: "urlhost",
  sessionId: "x-docker-expose-session-uuid",
  sessionName: "x-docker-expose-session-name",
  sharedKey: "x-docker-expose-session-sharedkey",
  /** Methods that the session offers, as `/service/method`. */
  sessionMethod: "x-docker-expose-session-grpc-method",
} as const;

/** Names by which stores of blobs are asked for. */
export const storeNames = {
  /** An OCI layout that is lent under a name. */
  layout: (name: string): string => `oci:${name}`,
  layoutPrefix: "oci:",
  /** Where an image is exported to as a directory. */
  output: "export",
} as const;
