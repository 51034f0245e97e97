// Where keys of AWS come from: the environment, tokens of web identities, profiles, containers, machines, in that order.
import { type Call, KilnError } from "../../base/index.ts";
import { Connections } from "../http/index.ts";
import { programKeys } from "./credential-program.ts";
import { type Profile, profileName, readProfile } from "./profiles.ts";
import {
  type AwsKeys,
  type AwsWorld,
  assumeRole,
  containerKeys,
  machineKeys,
  webIdentity,
} from "./services.ts";
import { signedOnKeys } from "./single-sign-on.ts";

/** Somebody in AWS, found out once and again when what was lent runs out. */
export interface AwsIdentity {
  /** Undefined where nothing says who this is. Throws `CONFIG_INVALID` or `CACHE_FAILED` for what says so and fails. */
  keys(call: Call): Promise<AwsKeys | undefined>;
}

/** Keys that run out within this time are fetched anew, in milliseconds. */
const margin = 5 * 60 * 1000;
/** Roles that lead to roles are followed this far. */
const maxRoles = 5;

/** The environment is the process's own where none is given. */
export function createAwsIdentity({
  env = process.env,
  connections = new Connections(env),
  now,
}: Partial<AwsWorld> & Pick<AwsWorld, "now">): AwsIdentity {
  const world = { env, connections, now };
  let known: AwsKeys | undefined;
  let found = false;
  return {
    async keys(call) {
      const stale =
        known?.expires !== undefined && known.expires.getTime() - world.now().getTime() < margin;
      if (!found || stale) known = await findKeys(world, call);
      found = true;
      return known;
    },
  };
}

async function findKeys(world: AwsWorld, call: Call): Promise<AwsKeys | undefined> {
  const { env } = world;
  const id = env["AWS_ACCESS_KEY_ID"] || env["AWS_ACCESS_KEY"];
  const secret = env["AWS_SECRET_ACCESS_KEY"] || env["AWS_SECRET_KEY"];
  if (id && secret)
    return { id, secret, token: env["AWS_SESSION_TOKEN"] || undefined, expires: undefined };
  const [file, role] = [env["AWS_WEB_IDENTITY_TOKEN_FILE"], env["AWS_ROLE_ARN"]];
  if (file && role) {
    const session = env["AWS_ROLE_SESSION_NAME"];
    return await webIdentity({ file, role, ...(session ? { session } : {}) }, world, call);
  }
  return (
    (await profileKeys(profileName(env), world, maxRoles, call)) ??
    (await containerKeys(world, call)) ??
    (await machineKeys(world, call))
  );
}

async function profileKeys(
  name: string,
  world: AwsWorld,
  depth: number,
  call: Call,
): Promise<AwsKeys | undefined> {
  const profile = readProfile(name, world.env);
  const { role_arn: role, web_identity_token_file: file, source_profile: source } = profile;
  const session = profile["role_session_name"];
  const named = session ? { session } : {};
  if (role && file) return await webIdentity({ file, role, ...named }, world, call);
  if (role) {
    if (depth === 0)
      throw new KilnError("CONFIG_INVALID", `AWS profile ${name}: its roles lead in a circle`);
    // A profile may lend its own keys to its role.
    const lender =
      source === name
        ? staticKeys(profile)
        : source
          ? await profileKeys(source, world, depth - 1, call)
          : await lentKeys(profile["credential_source"], world, call);
    if (!lender)
      throw new KilnError(
        "CONFIG_INVALID",
        `AWS profile ${name}: nobody has keys for role ${role}`,
      );
    return await assumeRole(
      { role, ...named, external: profile["external_id"] },
      lender,
      world,
      call,
    );
  }
  const own = staticKeys(profile);
  if (own) return own;
  const program = profile["credential_process"];
  if (program) return await programKeys(program, name, world, call);
  return await signedOnKeys(profile, name, world, call);
}

function staticKeys(profile: Profile): AwsKeys | undefined {
  const { aws_access_key_id: id, aws_secret_access_key: secret } = profile;
  if (!id || !secret) return undefined;
  return { id, secret, token: profile["aws_session_token"] || undefined, expires: undefined };
}

/** `credential_source` of a profile with a role. */
async function lentKeys(
  source: string | undefined,
  world: AwsWorld,
  call: Call,
): Promise<AwsKeys | undefined> {
  switch (source) {
    case "Environment": {
      const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = world.env;
      if (!id || !secret) return undefined;
      return { id, secret, token: world.env["AWS_SESSION_TOKEN"], expires: undefined };
    }
    case "EcsContainer":
      return await containerKeys(world, call);
    case "Ec2InstanceMetadata":
      return await machineKeys(world, call);
    default:
      return undefined;
  }
}
