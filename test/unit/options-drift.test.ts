import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { COMBINATIONS } from '../../src/options/combinations';
import { BUILDERS_FILE, renderBuilders, renderReadme, writeGenerated } from '../../src/options/generate';
import { NODE_GROUPS, OPTION_TABLE, type OptionGroup } from '../../src/options/table';
import * as values from '../../src/options/values';
import { root } from '../support/paths';

const STALE = 'run "npm run generate"';

describe('options: drift', () => {
  it('the builders in the repository are those of the table', () => {
    assert.equal(readFileSync(join(root, BUILDERS_FILE), 'utf8'), renderBuilders(), STALE);
  });

  it('the tables in README.md are those of the table', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    assert.equal(readme, renderReadme(readme), STALE);
    for (const name of [...Object.keys(OPTION_TABLE), 'profiles'])
      assert.ok(readme.includes(`<!-- netring:options ${name} -->`), `no table of ${name}`);
  });

  it('writes what has changed and nothing else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'netring-generate-'));
    try {
      mkdirSync(dirname(join(folder, BUILDERS_FILE)), { recursive: true });
      writeFileSync(join(folder, 'README.md'), '# x\n<!-- netring:options profiles -->\nold\n<!-- /netring:options -->\ny\n');
      assert.deepEqual(writeGenerated(folder), [BUILDERS_FILE, 'README.md']);
      assert.deepEqual(writeGenerated(folder), []);
      const readme = readFileSync(join(folder, 'README.md'), 'utf8');
      assert.match(
        readme,
        /^# x\n<!-- netring:options profiles -->\n\n\| profile[^]*\| `balanced` .*16 MiB *\|\n\n<!-- \/netring:options -->\ny\n$/,
      );
      assert.ok(!readme.includes('old'));
      assert.ok(existsSync(join(folder, BUILDERS_FILE)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('README.md asks only for tables that there are', () => {
    assert.throws(() => renderReadme('<!-- netring:options router -->\n<!-- /netring:options -->'), /"router"/);
  });
});

describe('options: the table', () => {
  const groups = Object.keys(OPTION_TABLE) as OptionGroup[];

  it('names no option twice in a builder or in a node', () => {
    for (const together of [...groups.map((group) => [group]), ...Object.values(NODE_GROUPS)]) {
      const names = together.flatMap((group) => OPTION_TABLE[group].map(({ name }) => name));
      assert.deepEqual(names, [...new Set(names)], together.join(' and '));
    }
  });

  it('takes its choices from the arrays whose union it names', () => {
    for (const row of groups.flatMap((group) => OPTION_TABLE[group])) {
      const isChoice = row.type === 'choice' || row.type === 'choices';
      assert.equal(row.union !== undefined && row.values !== undefined, isChoice, row.name);
      if (isChoice) assert.ok((Object.values(values) as unknown[]).includes(row.values), row.name);
    }
  });

  it('documents every option in whole sentences on one line', () => {
    for (const row of groups.flatMap((group) => OPTION_TABLE[group])) {
      assert.match(row.doc, /^\S.*\.$/, row.name);
      assert.ok(row.doc.length <= 160, `${row.name}: ${row.doc.length} letters`);
    }
  });

  it('combines options that there are', () => {
    for (const group of groups) {
      for (const { option, reads, text } of COMBINATIONS[group]) {
        const shown = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        for (const name of [option, ...reads, ...shown])
          assert.ok(
            OPTION_TABLE[group].some((row) => row.name === name),
            `${group}: ${name}`,
          );
        assert.ok(reads.includes(option), `${group}: ${text}`);
      }
    }
  });

  it('has the option names of the flow JSON', () => {
    const names = (group: OptionGroup): string => OPTION_TABLE[group].map(({ name }) => name).join(' ');
    assert.equal(
      names('capture'),
      'interface netns profile blockSize blockCount frameSize snapLen blockTimeoutMs latency fillRxhash promiscuous ignoreOutgoing busyPollUs ' +
        'reuseport rcvbuf rcvbufForce timestampSource pollTimeoutMs fanoutMode fanoutGroup fanoutFlags filter maxBufferedBytes',
    );
    assert.equal(names('injector'), 'interface netns frameSize frameCount qdiscBypass');
    assert.equal(
      names('xdp'),
      'interface queueId frameSize frameCount mode prefill needWakeup bindMode attach filter mapPin promiscuous busyPollUs preferBusyPoll ' +
        'busyPollBudget maxBufferedBytes',
    );
    assert.equal(names('xdp-node'), 'input output statsInterval allowDefaultRoute');
    assert.equal(names('capture-in'), 'output statsInterval control');
    assert.equal(names('inject-out'), 'input pacing rate onFull maxQueuedBytes fixChecksums allowDefaultRoute');
  });
});
