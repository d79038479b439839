/** mocha's spec reporter, which also leaves what the runner adds up: counts, failed titles with the error's text below, skipped titles with their reasons. */
const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

module.exports = class extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const result = { passed: 0, failed: [], skipped: [] };
    runner.on('pass', () => result.passed++);
    runner.on('fail', (test, error) => result.failed.push(`${test.fullTitle()}\n${error.message}`));
    runner.on('pending', (test) => result.skipped.push({ title: test.fullTitle(), reason: reasonOf(test) }));
    runner.once('end', () => writeFileSync(process.env.NETRING_TEST_RESULT, JSON.stringify(result)));
  }
};

function reasonOf(node) {
  return node ? (node.netringSkipReason ?? reasonOf(node.parent)) : 'no reason given';
}
