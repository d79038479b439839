import assert from 'node:assert/strict';
import { compileFilter, FilterError, filterMatches, type BpfInsn } from '../../src';
import { parseFilter } from '../../src/options/filter-program';
import { EXPRESSIONS } from '../support/filter/expressions';
import { packets } from '../support/filter/packets';
import { Random } from '../support/filter/random';
import { REJECTS } from '../support/filter/rejects';

/** The column and what is said, of an expression that is refused. */
function refused(expression: string, column: number, text: RegExp, hint = /^/): void {
  assert.throws(
    () => compileFilter(expression),
    (error: unknown) => {
      assert.ok(error instanceof FilterError);
      assert.deepEqual([error.kind, error.option, error.code, error.column], ['Config', 'filter', 'EINVAL', column], error.message);
      assert.match(error.message, new RegExp(`^invalid configuration: filter column ${column}: `));
      assert.match(error.message, text);
      assert.match(error.hint, hint);
      return true;
    },
  );
}

const RET_ALL: BpfInsn = { code: 0x06, jt: 0, jf: 0, k: 262144 };

describe('filters: compiler', () => {
  it('an empty expression accepts all', () => {
    for (const nothing of ['', ' \t\n ']) assert.deepEqual(compileFilter(nothing), [RET_ALL]);
  });

  it('every program is one that the kernel takes', () => {
    for (const expression of EXPRESSIONS)
      for (const target of ['socket', 'file'] as const) {
        const program = compileFilter(expression, { for: target });
        assert.deepEqual(parseFilter(program), program, expression);
      }
  });

  it('the program for a socket differs only where a VLAN is asked for', () => {
    for (const expression of EXPRESSIONS) {
      const [socket, file] = [compileFilter(expression), compileFilter(expression, { for: 'file' })];
      if (/vlan/.test(expression)) assert.notDeepEqual(socket, file, expression);
      else assert.deepEqual(socket, file, expression);
    }
  });

  it('what is said twice is asked once', () => {
    const once = compileFilter('tcp port 80');
    assert.equal(once.length, 20);
    for (const twice of ['tcp port 80 and tcp port 80', 'tcp port 80 or tcp port 80', 'tcp port 80 and (ip or ip6)', 'not not tcp port 80'])
      assert.equal(compileFilter(twice).length, once.length, twice);
  });

  it('what no packet can be is refused, as tcpdump does: a capture would wait for it for ever', () => {
    const error = {
      message: 'invalid configuration: filter column 1: the expression matches no packet',
      hint: 'its parts exclude each other',
    };
    for (const expression of ['ip and not ip', 'tcp port 80 && udp', '5 != 5', 'port 53 and icmp', 'not port 80 and port 80'])
      assert.throws(() => compileFilter(expression), error, expression);
    // Behind a tag is another protocol than before it; in a frame that the kernel has taken the tag out of it is the same.
    assert.throws(() => compileFilter('tcp and vlan and tcp', { for: 'file' }), error);
    assert.ok(compileFilter('tcp and vlan and tcp').length > 1);
  });

  it('a jump that is too far for 8 bits goes by way of an island', () => {
    const hosts = Array.from({ length: 700 }, (_, index) => `10.${index >> 8}.${index & 255}.1`);
    const program = compileFilter(`ip src host ${hosts.join(' or ')}`, { for: 'file' });
    assert.ok(program.length > 700 && program.length < 710, `${program.length}`);
    const frame = new Uint8Array(34);
    frame.set([8, 0], 12);
    for (const host of hosts) {
      frame.set(host.split('.').map(Number), 26);
      assert.ok(filterMatches(program, frame), host);
    }
    frame.set([10, 9, 9, 9], 26);
    assert.equal(filterMatches(program, frame), false);
  });

  it('long lists of pairs mean what they say: each pair matches, and no half of one with one of another', () => {
    const count = 60;
    const host = (i: number): number[] => [10, 0, 0, i];
    const second = {
      'dst port': { term: (i: number) => `dst port ${2 * i + 1}`, write: (frame: Uint8Array, i: number) => frame.set([0, 2 * i + 1], 36) },
      'dst portrange': {
        term: (i: number) => `dst portrange ${2 * i + 1}-${2 * i + 1}`,
        write: (frame: Uint8Array, i: number) => frame.set([0, 2 * i + 1], 36),
      },
      'ip[8] >': {
        term: (i: number) => `ip[8] > ${i} and ip[8] <= ${i + 1}`,
        write: (frame: Uint8Array, i: number) => (frame[22] = i + 1),
      },
      'ip[8] &': {
        term: (i: number) => `ip[8] & ${2 ** (i % 8)} != 0 and ip[9] = 17 and ip[1] = ${i}`,
        write: (frame: Uint8Array, i: number) => {
          frame[22] = 2 ** (i % 8);
          frame[15] = i;
        },
      },
    };
    for (const [shape, { term, write }] of Object.entries(second)) {
      const terms = Array.from({ length: count }, (_, i) => `(src host ${host(i).join('.')} and ${term(i)})`);
      const program = compileFilter(terms.join(' or '), { for: 'file' });
      for (let i = 0; i < count; i++)
        for (let k = 0; k <= count; k++) {
          const frame = new Uint8Array(60);
          frame.set([8, 0, 0x45], 12);
          frame[23] = 17;
          frame.set(host(i), 26);
          write(frame, k);
          assert.equal(filterMatches(program, frame), i === k, `${shape}: host ${i}, the other ${k}`);
        }
    }
  });

  it('works on loopback as on Ethernet, on raw IP without Ethernet, on no other link', () => {
    assert.deepEqual(compileFilter('tcp', { linkType: 772 }), compileFilter('tcp', { linkType: 1 }));
    assert.equal(filterMatches(compileFilter('ip host 10.0.0.1', { linkType: 65534 }), ipv4To(10, 0, 0, 1)), true);
    for (const expression of ['ether host 00:11:22:33:44:55', 'broadcast', 'ether multicast', 'vlan', 'mpls'])
      assert.throws(() => compileFilter(expression, { linkType: 65534 }), FilterError, expression);
    assert.throws(() => compileFilter('ip', { linkType: 803 }), { kind: 'Config', column: 1 });
  });

  it('wants a string, and a target that there is', () => {
    assert.throws(() => compileFilter(5 as unknown as string), TypeError);
    assert.throws(() => compileFilter('ip', { for: 'tun' as 'file' }), RangeError);
  });

  describe('a mistake is named with its column, what stands there and what was expected', () => {
    for (const [expression, column, text, hint] of [
      ['tcp prot 80', 5, /"prot" stands there, expected "and", "or" or the end/],
      ['tcp and', 8, /the end stands there, expected a protocol, host/],
      ['(tcp or udp', 12, /the end stands there, expected "\)"/],
      ['port', 5, /the end stands there, expected the number of a port/],
      ['port http', 6, /"http" stands there, expected the number of a port/, /http is 80/],
      ['port nonsense', 6, /expected the number of a port/, /not looked up/],
      ['host example.org', 6, /"example.org" stands there, expected an address/, /names are not looked up/],
      ['(src hots 10.0.0.1 and dst port 502)', 6, /"hots" stands there, expected "host", "net"/, /names are not looked up/],
      ['udp and dst prot 5', 13, /"prot" stands there, expected "host", "net", "port"/],
      ['net lan', 5, /"lan" stands there, expected a network such as/],
      ['192.168.0.1', 1, /"192.168.0.1" stands there/, /host 192\.168\.0\.1/],
      ['TCP', 1, /"TCP" stands there/, /lower-case/],
      ['tcp and host 300.1.1.1', 14, /300\.1\.1\.1/],
      ['port 80 or host', 16, /the end stands there, expected an address/],
      ['ip proto tcp', 10, /"tcp" stands there, expected the number of a protocol/, /\\tcp/],
      ['vlan 5000', 1, /VLAN 5000 is more than 4095/],
      ['tcp[13:3] = 1', 1, /a load of 3 bytes/],
      ['tcp[13] & 2', 12, /the end stands there, expected a relation/],
      ['ip[0] / 0 = 1', 7, /by zero/],
      ['ip[0] / (1 - 1) = 1', 7, /by zero/],
      ['port 80-90', 6, /expected the number of a port/, /"portrange 80-90"/],
      ['tcp 80', 5, /"80" stands there, expected "and", "or" or the end/, /"port 80"/],
      ['udp and 10.0.0.1', 9, /"10\.0\.0\.1" stands there/, /"host 10\.0\.0\.1"/],
      ['udp dst 53', 9, /an IPv4 address stands after "udp"/, /"udp dst port 53"/],
      ['port 80,443', 8, /"," stands there/, /"port 80 or 443"/],
      ['tcp.port == 80', 1, /"tcp\.port" stands there/, /Wireshark/],
      ['(000) ldh [12]\n(001) jeq #0x800 jt 2 jf 5', 26, /"#" stands there/, /tcpdump -ddd/],
      ['{ 0x28, 0, 0, 0x0000000c },', 1, /"\{" stands there/, /tcpdump -ddd/],
      ['net 10.1.2.3/8', 5, /bits beyond its prefix/],
      ['ip protochain 6', 4, /"protochain" is a word of tcpdump that is not compiled here/, /tcpdump -ddd/],
      ['llc', 1, /"llc" is a word of tcpdump/, /tcpdump -ddd/],
      ['geneve', 1, /"geneve" is a word of tcpdump/, /tcpdump -ddd/],
      ['wlan type mgt', 6, /"type" is a word of tcpdump/],
      ['byte 0 & 1', 8, /"&" stands there/, /ether\[0\]/],
      ['tcp # http', 5, /"#" stands there, no word/],
      ['tcp 😀', 5, /"😀" stands there/],
    ] as const) {
      it(expression, () => refused(expression, column, text, hint));
    }

    it('for everything that tcpdump refuses, too', () => {
      for (const expression of REJECTS) assert.throws(() => compileFilter(expression), FilterError, expression);
    });
  });

  describe('is bounded', () => {
    const within = (ms: number, body: () => void): void => {
      const start = performance.now();
      body();
      assert.ok(performance.now() - start < ms, `${performance.now() - start} ms`);
    };

    for (const [what, expression] of [
      ['65 parentheses', `${'('.repeat(65)}tcp${')'.repeat(65)}`],
      ['parentheses without end', '('.repeat(60_000)],
      ['indices in indices', `${'ip['.repeat(70)}0${']'.repeat(70)} = 0`],
      ['operands without end', `${'1+'.repeat(30_000)}1=1`],
      ['signs without end', `${'-'.repeat(60_000)}1=1`],
      ['text without end', 'a'.repeat(70_000)],
      ['operands within operands', Array.from({ length: 60 }, () => 'len%'.repeat(200)).join('(') + 'len' + ')'.repeat(59) + ' = 1'],
      ['more tests than are compiled', Array.from({ length: 3700 }, (_, index) => `not port ${index}`).join(' and ')],
      [
        'lists in lists',
        Array.from({ length: 1560 }, (_, index) => `(src host 10.0.${index >> 8}.${index & 255} and dst port ${index})`).join(' or '),
      ],
      ['more instructions than 4096', Array.from({ length: 5000 }, (_, index) => `ip[${index}]=1`).join(' or ')],
    ] as const) {
      it(`refuses ${what}`, () => within(2000, () => assert.throws(() => compileFilter(expression), FilterError)));
    }

    it('takes 64 parentheses, 10 000 negations, 16 000 terms that say the same', () => {
      within(3000, () => {
        assert.equal(compileFilter(`${'('.repeat(64)}tcp${')'.repeat(64)}`).length, compileFilter('tcp').length);
        assert.deepEqual(compileFilter(`${'!'.repeat(10_000)}tcp`), compileFilter('tcp'));
        assert.deepEqual(compileFilter(Array<string>(16_000).fill('ip').join('||')), compileFilter('ip'));
      });
    });

    it('a list is short whatever else is known of the packet', () => {
      const list = (term: (index: number) => string): string => Array.from({ length: 650 }, (_, index) => term(index)).join(' or ');
      for (const [test, opposite] of [
        ['ip[6:2] & 0x4000 != 0', 'ip[6:2] & 0x4000 = 0'],
        ['ip[8] > 1', 'ip[8] <= 1'],
      ]) {
        const other = list((index) => `(${opposite} and src host 10.2.${index >> 8}.${index & 255})`);
        const program = compileFilter(`${test} and (${list((index) => `dst port ${index + 1}`)}) and not (${other})`);
        assert.ok(program.length < 750, `${program.length} instructions`);
      }
    });

    it('says the same of a list as of its members, however long it is and whatever is known', () => {
      const count = 60;
      const frame = Buffer.alloc(60);
      frame.writeUInt16BE(0x0800, 12);
      frame[14] = 0x45;
      frame[23] = 17;
      const term = (index: number): string => `(src host 10.0.${index >> 8}.${index & 255} and dst port ${index + 1})`;
      const programs = [0, 1, 2].map((from) =>
        // Twice the same members, each with another partner.
        compileFilter(
          [...Array(count).keys(), ...Array(count).keys()]
            .map((index, at) => term(index).replace(/\d+\)$/, `${index + 1 + (at < count ? 0 : from)})`))
            .join(' or '),
        ),
      );
      for (let index = 0; index < count; index += 7)
        for (let port = index; port < index + 5; port++) {
          frame.writeUInt32BE(0x0a000000 + index, 26);
          frame.writeUInt16BE(port, 36);
          programs.forEach((program, from) => {
            const expected = port === index + 1 || port === index + 1 + from;
            assert.equal(filterMatches(program, frame), expected, `${index} ${port} ${from}`);
          });
        }
    });

    it('needs few words of scratch memory for much arithmetic', () => {
      const sum = Array.from({ length: 200 }, (_, index) => `ip[${index % 20}]`).join(' + ');
      const right = `${'ip[0] - ('.repeat(60)}ip[1]${')'.repeat(60)}`;
      for (const left of [sum, right]) {
        const program = compileFilter(`${left} > 1000`, { for: 'file' });
        assert.deepEqual(parseFilter(program), program);
      }
    });
  });

  it('an outer tag is found where the kernel has put it, and in the frame', () => {
    const program = compileFilter('vlan 5 and ip');
    const plain = Uint8Array.of(...Array<number>(12).fill(2), 8, 0, 0x45, ...Array<number>(19).fill(0));
    const inFrame = Uint8Array.of(...Array<number>(12).fill(2), 0x81, 0, 0x60, 5, 8, 0, 0x45, ...Array<number>(19).fill(0));
    const tag = (tci: number): { vlan: { tci: number; tpid: number } } => ({ vlan: { tci, tpid: 0x8100 } });
    assert.deepEqual(
      [
        filterMatches(program, plain, tag(0x6005)),
        filterMatches(program, inFrame),
        filterMatches(program, plain, tag(6)),
        filterMatches(program, plain),
      ],
      [true, true, false, false],
    );
    assert.equal(filterMatches(compileFilter('vlan 5 and ip', { for: 'file' }), plain, tag(5)), false);
    assert.equal(filterMatches(compileFilter('vlan 9 and vlan 5 and ip'), inFrame, tag(9)), true, 'the inner tag stands in the frame');
  });

  it('says the same of every frame as the negation of its negation', () => {
    const samples = packets(new Random(7), 300);
    for (const expression of EXPRESSIONS) {
      const [straight, twice] = [compileFilter(expression), compileFilter(`not (not (${expression}))`)];
      for (const { frame, context } of samples)
        assert.equal(filterMatches(straight, frame, context), filterMatches(twice, frame, context), expression);
    }
  });
});

function ipv4To(...address: readonly number[]): Uint8Array {
  return Uint8Array.of(0x45, ...Array<number>(15).fill(0), ...address);
}
