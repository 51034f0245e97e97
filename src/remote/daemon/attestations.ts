// What is said about results beside them, as the gateway protocol has it.
import type { AttestationSubject, FrontendAttestation } from "../../api/index.ts";
import { KilnError } from "../../base/index.ts";
import type { Definition } from "../../formats/llb/index.ts";
import { gateway } from "../../formats/proto/index.ts";

/** Attestations that one result may have, and subjects of one of them. */
const maxAttestations = 256;
const maxSubjects = 1000;

const { InToto, Bundle } = gateway.AttestationKind;
const { Self, Raw } = gateway.InTotoSubjectKind;

/** From the wire; `known` finds what a reference stands for. Throws `REQUEST_INVALID`. */
export function readAttestationMessages(
  messages: gateway.Attestations | undefined,
  known: (id: string) => Definition | undefined,
): readonly FrontendAttestation[] {
  const list = messages?.attestation ?? [];
  if (list.length > maxAttestations)
    throw invalid(`more than ${maxAttestations} attestations of one result`);
  return list.map(({ kind, metadata, ref, path, inTotoPredicateType, inTotoSubjects }) => {
    if (kind !== InToto && kind !== Bundle)
      throw invalid(`unknown attestation kind ${String(kind)}`);
    if (!ref) throw invalid("attestation does not have available content");
    if (inTotoSubjects.length > maxSubjects)
      throw invalid(`more than ${maxSubjects} subjects of one attestation`);
    const text = new TextDecoder();
    return {
      kind: kind === Bundle ? "bundle" : "in-toto",
      definition: known(ref.id),
      path,
      predicateType: inTotoPredicateType,
      subjects: inTotoSubjects.map(readSubject),
      metadata: Object.fromEntries(
        Array.from(metadata, ([key, value]) => [key, text.decode(value)]),
      ),
    };
  });
}

function readSubject({ kind, name, digest }: gateway.InTotoSubject): AttestationSubject {
  if (kind !== Self && kind !== Raw)
    throw invalid(`unknown attestation subject type ${String(kind)}`);
  for (const one of digest)
    if (!/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(one))
      throw invalid(
        `invalid digest ${JSON.stringify(one.slice(0, 200))} of an attestation subject`,
      );
  return { kind: kind === Raw ? "raw" : "self", name, digests: digest };
}

/** For the wire; `hold` gives a definition a name. */
export function attestationMessages(
  attestations: readonly FrontendAttestation[],
  hold: (definition: Definition | undefined) => gateway.Ref,
): gateway.Attestations {
  const text = new TextEncoder();
  return gateway.Attestations.create({
    attestation: attestations.map((one) =>
      gateway.Attestation.create({
        kind: one.kind === "bundle" ? Bundle : InToto,
        metadata: new Map(
          Object.entries(one.metadata).map(([key, value]) => [key, text.encode(value)]),
        ),
        ref: hold(one.definition),
        path: one.path,
        inTotoPredicateType: one.predicateType,
        inTotoSubjects: one.subjects.map(({ kind, name, digests }) => ({
          kind: kind === "raw" ? Raw : Self,
          name,
          digest: [...digests],
        })),
      }),
    ),
  });
}

function invalid(message: string): KilnError {
  return new KilnError("REQUEST_INVALID", message);
}
