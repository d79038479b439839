/**
 * npm run build: compiles the library and the nodes to dist/ and assembles the editor's files beside them.
 * npm run generate (--generate): also rewrites the builders and the tables of README.md from the table of options.
 */
import { build } from './lib/build.mjs';
import { main } from './lib/run.mjs';

await main(() => build({ generate: process.argv.includes('--generate') }));
