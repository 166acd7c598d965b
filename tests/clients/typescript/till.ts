// A till on types that are generated from the OpenAPI document: earns points, reads them, and meets problems.
// test_typescript.py puts it beside the types, checks it and runs it.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string> };

type Purchase = components["schemas"]["Purchase"];
type Problem = components["schemas"]["Problem"];

const customer = "ann/42 of Bonn";
const till = createClient<paths>({
  baseUrl: process.env["LOYALTY_ADDRESS"] ?? "",
  headers: { Authorization: `Bearer ${process.env["LOYALTY_KEY"]}` },
});

function purchase(id: string, total: number): Purchase {
  return { id, customer_id: customer, currency: "EUR", total, occurred_at: "2026-01-02T10:00:00Z" };
}

function expect<T>(found: T, expected: T): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
  }
}

async function earn(): Promise<void> {
  const booked = await till.POST("/v1/purchases", { body: purchase("order/1", 12990) });
  if (!booked.data) throw new Error(booked.error.detail);
  const earned: number = booked.data.points.earned;
  expect([booked.response.status, earned, booked.data.balance.available], [201, 129, 129]);

  const again = await till.POST("/v1/purchases", { body: purchase("order/1", 12990) });
  expect(again.response.headers.get("Idempotent-Replayed"), "true");
  expect(again.data, booked.data);
}

async function read(): Promise<void> {
  const path = { customer_id: customer };
  const balance = await till.GET("/v1/customers/{customer_id}/balance", { params: { path } });
  if (!balance.data) throw new Error(balance.error.detail);
  const available: number = balance.data.available;
  const nextExpiry: string | undefined = balance.data.next_expiry?.at;
  expect([balance.data.customer_id, available, nextExpiry], [customer, 129, undefined]);

  const history = await till.GET("/v1/customers/{customer_id}/transactions", { params: { path, query: { limit: 1 } } });
  if (!history.data) throw new Error(history.error.detail);
  const [newest] = history.data.data;
  expect([newest?.from, newest?.to, newest?.points, newest?.cause.id], ["issued", "available", 129, "order/1"]);
  const cursor: string | null = history.data.next_cursor;
  expect(cursor, null);
}

async function meetProblems(): Promise<void> {
  const conflict = await till.POST("/v1/purchases", { body: purchase("order/1", 1) });
  const problem: Problem | undefined = conflict.error;
  expect([conflict.response.status, problem?.code], [409, "purchase_conflict"]);

  const invalid = await till.POST("/v1/purchases", { body: purchase("order/2", -1) });
  expect(invalid.error?.errors?.map((each) => each.pointer), ["/total"]);

  const headers = { Authorization: "Bearer lk_test_of_nobody" };
  const refused = await till.GET("/v1/program", { headers });
  expect([refused.response.status, refused.error?.code], [401, "unauthenticated"]);
}

await earn();
await read();
await meetProblems();
