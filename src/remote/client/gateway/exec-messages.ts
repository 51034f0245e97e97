// Mounts and processes of containers as the messages of NewContainer and ExecProcess.
import type { ContainerProcess, ContainerRequest } from "../../../api/index.ts";
import { gateway, pb } from "../../../formats/proto/index.ts";

type Mount = ContainerRequest["op"]["mounts"][number];

const mountTypes = {
  bind: pb.MountType.BIND,
  secret: pb.MountType.SECRET,
  ssh: pb.MountType.SSH,
  cache: pb.MountType.CACHE,
  tmpfs: pb.MountType.TMPFS,
} as const;
const sharings = {
  shared: pb.CacheSharingOpt.SHARED,
  private: pb.CacheSharingOpt.PRIVATE,
  locked: pb.CacheSharingOpt.LOCKED,
} as const;
const networks = {
  sandbox: pb.NetMode.UNSET,
  host: pb.NetMode.HOST,
  none: pb.NetMode.NONE,
} as const;
const securities = {
  sandbox: pb.SecurityMode.SANDBOX,
  insecure: pb.SecurityMode.INSECURE,
} as const;

/** `ids` are the results that the mounts begin with, by mount; empty for none. */
export function newContainerMessage(
  id: string,
  { op, platform }: ContainerRequest,
  ids: readonly string[],
): gateway.NewContainerRequest {
  return gateway.NewContainerRequest.create({
    ContainerID: id,
    Mounts: op.mounts.map((mount, at) => mountMessage(mount, ids[at] ?? "")),
    Network: networks[op.network],
    extraHosts: op.extraHosts.map(({ host, ip }) => ({ Host: host, IP: ip })),
    hostname: op.hostname,
    ...(platform
      ? {
          platform: pb.Platform.create({
            OS: platform.os,
            Architecture: platform.architecture,
            Variant: platform.variant ?? "",
          }),
        }
      : {}),
  });
}

function mountMessage(mount: Mount, resultID: string): pb.Mount {
  const { type, selector, target, readonly, cache, tmpfsSize, secret, ssh } = mount;
  return pb.Mount.create({
    // Results go by their ids here; where they come from and go to in a definition is of no interest.
    input: -1,
    output: -1,
    resultID,
    selector,
    dest: target,
    readonly,
    mountType: mountTypes[type],
    ...(cache ? { cacheOpt: { ID: cache.id, sharing: sharings[cache.sharing] } } : {}),
    ...(tmpfsSize ? { TmpfsOpt: { size: tmpfsSize } } : {}),
    ...(secret ? { secretOpt: lentMessage(secret) } : {}),
    ...(ssh ? { SSHOpt: lentMessage(ssh) } : {}),
  });
}

function lentMessage({ id, uid, gid, mode, optional }: NonNullable<Mount["secret"]>) {
  return { ID: id, uid, gid, mode, optional };
}

/** The first message of a process. */
export function initMessage(
  containerId: string,
  { op, terminal }: Pick<ContainerProcess, "op" | "terminal">,
): gateway.InitMessage {
  return gateway.InitMessage.create({
    ContainerID: containerId,
    Meta: pb.Meta.create({
      args: [...op.args],
      env: [...op.env],
      cwd: op.cwd,
      user: op.user,
      cgroupParent: op.cgroupParent,
      ulimit: op.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    }),
    Fds: terminal ? [0, 1] : [0, 1, 2],
    Tty: terminal !== undefined,
    Security: securities[op.security],
    secretenv: op.secretEnv.map(({ id, name, optional }) => ({ ID: id, name, optional })),
  });
}
