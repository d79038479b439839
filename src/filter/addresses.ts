/** Addresses and numbers as they are written. Every function returns null for a text that is none. */

const MAC =
  /^(?:[0-9a-f]{1,2}(?:(?::[0-9a-f]{1,2}){5}|(?:-[0-9a-f]{1,2}){5}|(?:\.[0-9a-f]{1,2}){5})|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}|[0-9a-f]{12})$/i;

/** The six bytes of `00:1b:44:11:3a:b7`, `00-1b-44-...`, `00.1b.44...`, `001b.4411.3ab7` or `001b44113ab7`. */
export function parseMac(text: string): number[] | null {
  if (!MAC.test(text)) return null;
  const groups = text.split(/[:.-]/);
  if (groups.length === 6) return groups.map((group) => parseInt(group, 16));
  return (text.replaceAll('.', '').match(/../g) ?? []).map((byte) => parseInt(byte, 16));
}

/** A number in decimal, octal (`017`) or hexadecimal (`0x1f`); -1 for one that is more than 32 bits or has a digit that is none of its base. */
export function parseNumber(text: string): number | null {
  if (!/^(?:[0-9]+|0x[0-9a-f]+)$/i.test(text)) return null;
  const octal = text.length > 1 && text.startsWith('0') && /^[0-9]+$/.test(text);
  if (octal && /[89]/.test(text)) return -1;
  const value = octal ? parseInt(text, 8) : Number(text);
  return value > 0xffffffff ? -1 : value;
}

/** Two to four decimal numbers with dots between, left-aligned as a network is: `10.1` is 10.1.0.0 with 16 significant bits. */
export function parseIpv4(text: string): { address: number; bits: number } | null {
  if (!/^[0-9]+(?:\.[0-9]+){1,3}$/.test(text)) return null;
  const octets = text.split('.').map(Number);
  if (octets.some((octet) => octet > 255)) return null;
  const bits = octets.length * 8;
  return { address: (octets.reduce((address, octet) => address * 256 + octet, 0) * 2 ** (32 - bits)) >>> 0, bits };
}

/** The four 32-bit words of an IPv6 address (RFC 4291, section 2.2). */
export function parseIpv6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] as string, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail];
  return [0, 2, 4, 6].map((at) => ((groups[at] as number) * 0x10000 + (groups[at + 1] as number)) >>> 0);
}

/** 16-bit groups; the last may be a dotted IPv4 address where the text ends the address. */
function groupsOf(text: string, endsAddress: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const embedded = endsAddress && index === parts.length - 1 ? parseIpv4(part) : null;
    if (embedded?.bits !== 32) return null;
    groups.push(embedded.address >>> 16, embedded.address & 0xffff);
  }
  return groups;
}
