/**
 * Who a client is, as far as its connection proves it. Limits, the access log and what is told of a client go by this, never
 * by what a client says about itself.
 */
export type ClientIdentity =
  /** Paired by `homccd pair --name`. */
  | { readonly kind: "paired"; readonly name: string }
  /** A certificate of the company's authority. */
  | { readonly kind: "certificate"; readonly name: string }
  /** Nothing is proven: whoever comes from this address, as Node gives it but for `::ffff:`. */
  | { readonly kind: "address"; readonly address: string };

/** The same for every connection of one client, and never for two clients: a key for maps and files. */
export function identityKeyOf(identity: ClientIdentity): string {
  return `${identity.kind}:${identity.kind === "address" ? identity.address : identity.name}`;
}

const kinds = ["paired", "certificate", "address"] as const;

/** Whose key it is; `undefined` for a text that is none. */
export function identityOfKey(key: string): ClientIdentity | undefined {
  const kind = kinds.find((each) => key.startsWith(`${each}:`));
  if (kind === undefined) return undefined;
  const name = key.slice(kind.length + 1);
  return kind === "address" ? { kind, address: name } : { kind, name };
}

/** For logs and for people: `alice`, `192.168.1.7`. */
export function identityText(identity: ClientIdentity): string {
  return identity.kind === "address" ? identity.address : identity.name;
}

/** Of a connection that proves nothing. */
export function addressIdentity(remoteAddress: string | undefined): ClientIdentity {
  return { kind: "address", address: (remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "") };
}
