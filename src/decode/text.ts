/** Addresses as text. Bytes that are not there, because the memory of a borrowed batch was given back, read as 0. */

/** An address or bytes: where they stand in `bytes`. The caller has checked that they lie inside. */
type ToText = (bytes: Uint8Array, at: number) => string;

const HEXADECIMAL = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));
const DECIMAL = Array.from({ length: 256 }, (_, octet) => String(octet));

const hex = (octet: number | undefined): string => HEXADECIMAL[(octet ?? 0) & 0xff]!;
const decimal = (octet: number | undefined): string => DECIMAL[(octet ?? 0) & 0xff]!;

/** Six octets, lower-case hexadecimal with colons. */
export const macText: ToText = (b, at) =>
  `${hex(b[at])}:${hex(b[at + 1])}:${hex(b[at + 2])}:${hex(b[at + 3])}:${hex(b[at + 4])}:${hex(b[at + 5])}`;

/** Dotted decimal. */
export const ipv4Text: ToText = (b, at) => `${decimal(b[at])}.${decimal(b[at + 1])}.${decimal(b[at + 2])}.${decimal(b[at + 3])}`;

/** The shortest form, as inet_ntop(3) and RFC 5952 have it: `fe80::1`, `::ffff:192.0.2.1`. */
export const ipv6Text: ToText = (b, at) => {
  let first = 8;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && group(b, at, end) === 0) end++;
    if (end - i > longest) [first, longest] = [i, end - i];
    if (end > i) i = end;
  }
  const mapped = first === 0 && (longest === 6 || (longest === 5 && group(b, at, 5) === 0xffff));
  const end = mapped ? 6 : 8;
  let text = '';
  for (let i = 0; i < end; i++) {
    if (i === first) {
      text += '::';
      i += longest - 1;
      continue;
    }
    if (i > 0 && i !== first + longest) text += ':';
    text += group(b, at, i).toString(16);
  }
  if (!mapped) return text;
  return `${text}${longest === 5 ? ':' : ''}${ipv4Text(b, at + 12)}`;
};

const group = (b: Uint8Array, at: number, i: number): number => (b[at + 2 * i]! << 8) | b[at + 2 * i + 1]!;

/** Octets as lower-case hexadecimal, with `separator` between them. */
export function hexText(bytes: Uint8Array, at: number, length: number, separator = ''): string {
  let text = '';
  for (let i = 0; i < length; i++) text += i === 0 ? hex(bytes[at]) : separator + hex(bytes[at + i]);
  return text;
}
