/** A process that captures nothing: what an idle Node.js costs by itself. */
import { serve } from './harness.mjs';

serve({ drops: () => 0 });
