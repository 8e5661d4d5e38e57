// Stores one record, without a workflow: node write.ts ORDER_ID ITEM
import { createHash } from 'node:crypto';
import { ActivityExecutionAlreadyStartedError, Client, Connection } from '@temporalio/client';

type Verdict = 'written' | 'duplicate' | 'conflict' | 'rejected' | 'updated' | 'stale';

interface Result {
  key: string;
  verdict: Verdict;
  problem: { reason: string; detail: string; sqlstate: string | null } | null;
  batch_id: string | null;
}

interface Answer {
  digest: string;
  records: Result[];
}

async function write(client: Client, id: string, request: object): Promise<Answer> {
  try {
    return await client.activity.execute<Answer>('write_records', {
      id,
      taskQueue: 'batcher-queue',
      args: [request],
      startToCloseTimeout: '10m',
      heartbeatTimeout: '20s',
      // The same id again gets the same answer, while the first request runs and afterwards.
      idConflictPolicy: 'USE_EXISTING',
      idReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    });
  } catch (error) {
    if (!(error instanceof ActivityExecutionAlreadyStartedError)) throw error;
    return await client.activity.getHandle<Answer>(id).result();
  }
}

const [orderId, item] = process.argv.slice(2);
const connection = await Connection.connect({ address: process.env.TEMPORAL_ADDRESS });
const client = new Client({ connection, namespace: process.env.TEMPORAL_NAMESPACE });
const request = { source: 'orders', records: [{ key: orderId, payload: { item } }] };
// Temporal answers an id, whatever is sent with it. So other records need another one.
const digest = createHash('sha256').update(JSON.stringify(request)).digest('hex').slice(0, 16);
const answer = await write(client, `order-${orderId}-${digest}`, request);
console.log(JSON.stringify(answer.records));
await connection.close();
