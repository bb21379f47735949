// What is tried over each transport of the published client.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAuthServiceClient } from "@zitadel/client/v1";
import { createUserServiceClient } from "@zitadel/client/v2";
import { ErrorDetailSchema } from "@zitadel/proto/zitadel/message_pb.js";

import { forget, messages, nextCode, pushClock, url } from "./dev.js";

const ORGANIZATION = "69629023906488334";
const SERVICE_TOKEN = "dev-zitadel-service-token";
const HUMAN_TOKEN = "dev-zitadel-human-token";

// The numbers of gRPC's status codes.
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const UNAUTHENTICATED = 16;

const sendCode = { case: "sendCode", value: {} };
const returnCode = { case: "returnCode", value: {} };

/** Registers the tests: `connect(token, options)` makes a transport. */
export function flow(connect, firstNumber) {
  const transport = (token) => connect(token, { baseUrl: url });
  const users = createUserServiceClient(transport(SERVICE_TOKEN));
  let number = firstNumber;

  /** A new user; answers their id and what was answered. */
  async function somebody(phone) {
    const answer = await users.addHumanUser({
      organization: { org: { case: "orgId", value: ORGANIZATION } },
      profile: { givenName: "Mickey", familyName: "Mouse" },
      email: { email: `mickey${number++}@mouse.com`, verification: returnCode },
      phone,
    });
    return [answer.userId, answer];
  }

  async function setPhone(userId, verification) {
    const phone = `+447700900${number++}`;
    return [phone, await users.setPhone({ userId, phone, verification })];
  }

  /** The status, the message, and the detail that the client decodes. */
  async function refused(code, message, id, call) {
    const error = await call.then(() => assert.fail("it was not refused"), (error) => error);
    assert.equal(error.code, code, String(error));
    assert.equal(error.rawMessage, `${message} (${id})`);
    const [detail] = error.findDetails(ErrorDetailSchema);
    assert.deepEqual([detail?.id, detail?.message], [id, message]);
    return error;
  }

  const codeRefused = (userId, verificationCode) =>
    refused(INVALID_ARGUMENT, "Code is invalid", "COMMAND-eis9R", users.verifyPhone({ userId, verificationCode }));

  // Shows: W2.
  test("a returned code verifies once and is not sent", async () => {
    const [userId] = await somebody();
    const [phone, { verificationCode, details }] = await setPhone(userId, returnCode);
    assert.equal(details.resourceOwner, ORGANIZATION);
    const verified = await users.verifyPhone({ userId, verificationCode });
    assert.ok(verified.details.sequence > details.sequence);
    await codeRefused(userId, verificationCode);
    assert.deepEqual(await messages(phone), []);
    const { user } = await users.getUserByID({ userId });
    assert.equal(user.type.case, "human");
    const stored = user.type.value.phone;
    assert.deepEqual([stored.phone, stored.isVerified], [phone, true]);
  });

  test("a sent code is sent again after a while and the first one is void", async () => {
    const [userId] = await somebody();
    const [phone, { verificationCode }] = await setPhone(userId, sendCode);
    assert.equal(verificationCode, undefined);
    const first = await nextCode(phone);
    await pushClock(61);
    await users.resendPhoneCode({ userId }); // no choice: it is sent
    const second = await nextCode(phone);
    await codeRefused(userId, first);
    await users.verifyPhone({ userId, verificationCode: second });
  });

  test("a resend may return the code at once", async () => {
    const [userId] = await somebody();
    await setPhone(userId, returnCode);
    const { verificationCode } = await users.resendPhoneCode({ userId, verification: returnCode });
    await users.verifyPhone({ userId, verificationCode });
  });

  test("a resend too soon is refused", async () => {
    const [userId] = await somebody();
    const [phone] = await setPhone(userId, sendCode);
    await nextCode(phone);
    await pushClock(3); // within two seconds it would be taken for the same request
    const call = users.resendPhoneCode({ userId, verification: sendCode });
    await refused(RESOURCE_EXHAUSTED, "Please wait before requesting a new code", "CSIGN-Cd29x", call);
  });

  test("with nothing pending there is nothing to resend", async () => {
    const [userId] = await somebody();
    const call = users.resendPhoneCode({ userId, verification: returnCode });
    await refused(FAILED_PRECONDITION, "Code is empty", "PHONE-5xrra88eq8", call);
  });

  test("after five wrong codes the right one is refused", async () => {
    const [userId] = await somebody();
    const [, { verificationCode }] = await setPhone(userId, returnCode);
    for (let tries = 0; tries < 5; tries++) await codeRefused(userId, "WRONG1");
    const call = users.verifyPhone({ userId, verificationCode });
    await refused(RESOURCE_EXHAUSTED, "Too many attempts", "CSIGN-Ax3vw", call);
  });

  test("a phone is removed once", async () => {
    const [userId] = await somebody();
    await setPhone(userId, { case: "isVerified", value: true });
    await users.removePhone({ userId });
    const call = users.removePhone({ userId });
    await refused(FAILED_PRECONDITION, "Phone not found", "COMMAND-ieJ2e", call);
  });

  test("a user is created with both codes returned", async () => {
    const phone = { phone: `+447700900${number++}`, verification: returnCode };
    const [userId, { emailCode, phoneCode, details }] = await somebody(phone);
    assert.equal(details.resourceOwner, ORGANIZATION);
    assert.ok(emailCode);
    await users.verifyPhone({ userId, verificationCode: phoneCode });
  });

  test("nobody has no phone", async () => {
    const call = users.setPhone({ userId: "404", phone: "+447700900399", verification: returnCode });
    await refused(NOT_FOUND, "Phone not found", "COMMAND-ieJ2e", call);
  });

  test("an empty number is refused without details", async () => {
    const [userId] = await somebody();
    const error = await users.setPhone({ userId, phone: "" }).catch((error) => error);
    const rule = "value length must be between 1 and 200 runes, inclusive";
    assert.deepEqual([error.code, error.rawMessage], [INVALID_ARGUMENT, `invalid SetPhoneRequest.Phone: ${rule}`]);
    assert.deepEqual(error.findDetails(ErrorDetailSchema), []);
  });

  test("a wrong token is refused", async () => {
    const stranger = createUserServiceClient(transport("no-such-token"));
    const call = stranger.getUserByID({ userId: "69629023906488400" });
    await refused(UNAUTHENTICATED, "Errors.Token.Invalid", "AUTH-7fs1e", call);
  });

  // Shows: W2.
  test("a human has their own code sent again", async () => {
    const auth = createAuthServiceClient(transport(HUMAN_TOKEN));
    const { phone } = await auth.getMyPhone({});
    await forget(phone.phone);
    await pushClock(3600);
    const { details } = await auth.resendMyPhoneVerification({});
    assert.equal(details.resourceOwner, ORGANIZATION);
    const code = await nextCode(phone.phone);
    const error = await auth.verifyMyPhone({ code: "WRONG1" }).catch((error) => error);
    assert.deepEqual([error.code, error.rawMessage], [INVALID_ARGUMENT, "Code is invalid (COMMAND-sM0cs)"]);
    await auth.verifyMyPhone({ code });
  });
}
