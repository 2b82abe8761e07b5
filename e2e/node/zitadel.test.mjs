// npm "@zitadel/client" 1.3.1 over its two transports: gRPC on a server, gRPC-web in a browser.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import { NewAuthorizationBearerInterceptor, createClientFor } from '@zitadel/client';
import { createServerTransport } from '@zitadel/client/node';
import { createAdminServiceClient, createManagementServiceClient } from '@zitadel/client/v1';
import { createOrganizationServiceClient, createUserServiceClient } from '@zitadel/client/v2';
import { createClientTransport } from '@zitadel/client/web';
import { ErrorDetailSchema } from '@zitadel/proto/zitadel/message_pb.js';
import { OrganizationService as OrganizationServiceBeta } from '@zitadel/proto/zitadel/org/v2beta/org_service_pb.js';
import { email, server, unique } from './guildhall.mjs';

const token = server.zitadel.pat;
const transports = {
  'gRPC over TLS': createServerTransport(token, { baseUrl: server.https }),
  'gRPC without TLS': createServerTransport(token, { baseUrl: server.http }),
  'gRPC-web with fetch over TLS': createClientTransport(token, { baseUrl: server.https }),
  'gRPC-web with fetch': createClientTransport(token, { baseUrl: server.http }),
  'gRPC-web over HTTP/1.1': createGrpcWebTransport({
    baseUrl: server.http,
    httpVersion: '1.1',
    interceptors: [NewAuthorizationBearerInterceptor(token)],
  }),
};

const notFound = 'Organisation not found (COMMA-aps2n)';

/** Expects the exact code and text, and the error id in the detail. */
const refused = (promise, code, text) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof ConnectError, `${error?.constructor?.name}: ${error?.message}`);
    assert.equal(error.code, code, error.message);
    assert.equal(error.rawMessage, text);
    const id = /\(([^()]+)\)$/.exec(text)?.[1];
    if (id) assert.equal(error.findDetails(ErrorDetailSchema)[0]?.id, id);
    return true;
  });

const inOrg = (id) => ({ headers: { 'x-zitadel-orgid': id } });

for (const [name, transport] of Object.entries(transports)) {
  suite(`@zitadel/client 1.3.1, ${name}`, () => {
    const admin = createAdminServiceClient(transport);
    const management = createManagementServiceClient(transport);
    const organizations = createOrganizationServiceClient(transport);
    const users = createUserServiceClient(transport);
    const beta = createClientFor(OrganizationServiceBeta)(transport);

    test('runs an organization from set-up to removal', async () => {
      const orgName = unique('npm-zi');
      const { orgId, userId } = await admin.setUpOrg({
        org: { name: orgName },
        user: {
          case: 'human',
          value: {
            userName: orgName,
            password: 'Secret-Passw0rd!',
            profile: { firstName: 'Ada', lastName: 'Lovelace' },
            email: { email: email(orgName), isEmailVerified: true },
          },
        },
      });
      const { org } = await admin.getOrgByID({ id: orgId });
      assert.equal(org.name, orgName);
      const found = await admin.listOrgs({ queries: [{ query: { case: 'nameQuery', value: { name: orgName } } }] });
      assert.deepEqual(found.result.map((o) => o.id), [orgId]);

      const second = unique('npm-zi-user');
      const created = await management.addHumanUser(
        { userName: second, profile: { firstName: 'Grace', lastName: 'Hopper' }, email: { email: email(second), isEmailVerified: true } },
        inOrg(orgId),
      );
      await management.addOrgMember({ userId: created.userId, roles: ['ORG_USER_MANAGER'] }, inOrg(orgId));
      const members = await management.listOrgMembers({}, inOrg(orgId));
      assert.deepEqual(members.result.map((m) => m.userId).sort(), [userId, created.userId].sort());
      await management.removeOrgMember({ userId: created.userId }, inOrg(orgId));
      const listed = await users.listUsers({
        queries: [{ query: { case: 'organizationIdQuery', value: { organizationId: orgId } } }],
      });
      assert.deepEqual(listed.result.map((u) => u.userId).sort(), [userId, created.userId].sort());
      await management.updateOrg({ name: `${orgName}-renamed` }, inOrg(orgId));

      const { details } = await admin.removeOrg({ orgId });
      assert.ok(details.changeDate && details.sequence > 0n);
      await refused(admin.removeOrg({ orgId }), Code.NotFound, notFound);
      await refused(management.getMyOrg({}, inOrg(orgId)), Code.PermissionDenied, "Organisation doesn't exist (AUTH-Bs7Ds)");
      await assert.rejects(users.getUserByID({ userId }), (error) => error.code === Code.NotFound);
    });

    test('removes through the other entry points with their own second answers', async () => {
      const add = async () => (await organizations.addOrganization({ name: unique('npm-zi-remove') })).organizationId;
      let id = await add();
      await management.removeOrg({}, inOrg(id));
      await refused(management.removeOrg({}, inOrg(id)), Code.PermissionDenied, "Organisation doesn't exist (AUTH-Bs7Ds)");
      id = await add();
      const first = await beta.deleteOrganization({ id });
      const again = await beta.deleteOrganization({ id });
      assert.deepEqual(again.deletionDate, first.deletionDate);
    });

    test('refuses to remove the default organization', async () => {
      await refused(
        admin.removeOrg({ orgId: server.zitadel.organization_id }),
        Code.FailedPrecondition,
        'Default Organisation must not be deleted (COMMA-wG9p1)',
      );
    });
  });
}
