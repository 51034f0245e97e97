// Which frontend images are the Dockerfile frontend, which is built in.

const standard = /^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?::[^@]*)?(?:@.*)?$/;

/** True for the names under which the reference's Dockerfile frontend is published. */
export function isStandardFrontend(reference: string): boolean {
  return reference === "dockerfile.v0" || standard.test(reference);
}
