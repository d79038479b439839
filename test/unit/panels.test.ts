import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NODE_GROUPS, OPTION_TABLE, type NodeName, type OptionRow } from '../../src/options/table';
import { root } from '../support/paths';

type Catalogue = { [key: string]: string | Catalogue };

const NODES: readonly NodeName[] = ['bridge', 'capture-in', 'inject-out', 'xdp'];
const html = (name: NodeName): string => readFileSync(join(root, 'nodes', `${name}.html`), 'utf8');
const catalogue = (name: NodeName): Catalogue =>
  JSON.parse(readFileSync(join(root, 'nodes', 'locales', 'en-US', `${name}.json`), 'utf8')) as Catalogue;
const rows = (name: NodeName): OptionRow[] => NODE_GROUPS[name].flatMap((group) => OPTION_TABLE[group]);

function text(name: NodeName, key: string): string | Catalogue | undefined {
  return key
    .split('.')
    .reduce<string | Catalogue | undefined>((at, part) => (typeof at === 'object' ? at[part] : undefined), catalogue(name));
}

/** Values of a select's options, in their order; undefined when there is no such select. */
function choices(name: NodeName, property: string): string[] | undefined {
  const select = new RegExp(`<select[^>]* id="node-input-${property}"[^>]*>([^]*?)</select>`).exec(html(name))?.[1];
  return select === undefined ? undefined : [...select.matchAll(/<option value="([^"]*)"/g)].map(([, value]) => value ?? '');
}

describe('the HTML and the catalogues of the panels', () => {
  for (const name of NODES) {
    it(`${name}: every text is in the catalogue`, () => {
      const keys = [...html(name).matchAll(/data-(?:i18n|label)="(?:\[[\w-]+\])?([\w.-]+)"/g)].map(([, key]) => key ?? '');
      assert.ok(keys.length > 20);
      assert.deepEqual(
        keys.filter((key) => typeof text(name, key) !== 'string'),
        [],
      );
    });

    it(`${name}: every choice of the table, and no other, can be made and is explained`, () => {
      for (const row of rows(name).filter(({ values }) => values !== undefined)) {
        const offered = choices(name, row.name);
        const wanted = [...(row.values ?? []), ...(row.type === 'choice' && row.default === null ? [''] : [])];
        assert.deepEqual([...(offered ?? [])].sort(), wanted.sort(), row.name);
      }
    });

    it(`${name}: every choice that is explained has its line`, () => {
      const explained = [...html(name).matchAll(/id="netring-about-(\w+)"/g)].map(([, property]) => property ?? '');
      for (const property of explained) {
        const lines = Object.keys(catalogue(name)[name] as Catalogue)
          .filter((key) => key.endsWith('-about'))
          .map((key) =>
            Object.keys((catalogue(name)[name] as Catalogue)[key] as Catalogue)
              .sort()
              .join(),
          );
        const wanted = choices(name, property)?.map((value) => (value === '' ? 'none' : value));
        assert.ok(lines.includes(wanted?.sort().join() ?? ''), property);
      }
    });

    it(`${name}: every option has a field`, () => {
      assert.deepEqual(
        rows(name)
          .map((row) => row.name)
          .filter((option) => !html(name).includes(`id="node-input-${option}"`)),
        [],
      );
    });
  }

  it('share their common texts', () => {
    for (const name of NODES) assert.deepEqual(catalogue(name)['netring'], catalogue('inject-out')['netring']);
  });

  it('use only the colours of the editor', () => {
    const style = readFileSync(join(root, 'nodes', 'editor', 'style.ts'), 'utf8');
    assert.doesNotMatch(style, /#[0-9a-f]{3,8}\b|rgba?\(|hsl/i);
    for (const name of NODES) assert.doesNotMatch(html(name), /style="[^"]*colou?r/);
  });
});
