// Credentials in addresses, taken out: they must be in nothing that is published.

const withCredentials = /([a-z][a-z0-9+.-]*:\/\/)([^/?#\s@]*)@/gi;

/** Name and password of every URL in the text become `xxxxx`, as the reference writes them. */
export function redactCredentials(text: string): string {
  return text.replace(withCredentials, (_, scheme: string, user: string) =>
    // The name that git hosts ask for is nobody's secret.
    user === "git" ? `${scheme}git@` : `${scheme}${user.includes(":") ? "xxxxx:xxxxx" : "xxxxx"}@`,
  );
}
