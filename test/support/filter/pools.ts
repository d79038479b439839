/** What expressions ask for and packets have, so that they meet. */

export const MACS = ['00:1b:44:11:3a:b7', '02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:fb', '33:33:00:00:00:01'];
export const HOSTS = [
  '10.1.2.3',
  '10.1.2.4',
  '192.168.0.1',
  '172.16.5.9',
  '10.1.0.7',
  '10.1.0.77',
  '10.0.2.1',
  '224.0.0.251',
  '255.255.255.255',
  '0.0.0.0',
  '127.0.0.1',
];
export const HOSTS6 = ['2001:db8::1', '2001:db8::2', 'fe80::1:2', 'ff02::fb', '::1', '::ffff:10.1.2.3', '64:ff9b::a01:203'];
export const PORTS = [0, 22, 53, 67, 80, 81, 443, 502, 1024, 8080, 65535];
export const VIDS = [0, 1, 5, 100, 4095];
export const LABELS = [0, 3, 16, 1000, 0xfffff];
export const SESSIONS = [0, 1, 17, 65535];
export const PROTOCOL_NUMBERS = [0, 1, 2, 6, 9, 17, 43, 44, 47, 50, 51, 58, 60, 89, 103, 112, 132, 255];
export const ETHERTYPES = [
  0, 0x05, 0x42, 0x05dc, 0x05dd, 0x0600, 0x0800, 0x0806, 0x6001, 0x6003, 0x6004, 0x8035, 0x809b, 0x80f3, 0x8100, 0x8137, 0x86dd, 0x8847,
  0x8863, 0x8864, 0x88a8, 0x88cc, 0x9000, 0x9100, 0xffff,
];

export const macBytes = (mac: string): number[] => mac.split(':').map((byte) => parseInt(byte, 16));
export const hostBytes = (host: string): number[] => host.split('.').map(Number);

/** The 16 bytes of an address of the pool. */
export function host6Bytes(host: string): number[] {
  const plain = host.replace(/[0-9]+(?:\.[0-9]+){3}$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = hostBytes(dotted);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail = ''] = plain.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const middle = Array<number>(8 - groups(head).length - groups(tail).length).fill(0);
  return [...groups(head), ...middle, ...groups(tail)].flatMap((group) => [group >> 8, group & 0xff]);
}
