/** npm run lint: formatters and linters. npm run format (--fix): lets them write what they can. */
import { lintChecks } from './lib/lint.mjs';
import { ensurePackages } from './lib/packages.mjs';
import { main, Problem } from './lib/run.mjs';

await main(async () => {
  await ensurePackages();
  const failed = [];
  for (const [title, body] of lintChecks({ fix: process.argv.includes('--fix') })) {
    await body().catch((error) => failed.push(`${title}: ${error.message}`));
  }
  if (failed.length > 0) throw new Problem(failed.join('\n'));
});
