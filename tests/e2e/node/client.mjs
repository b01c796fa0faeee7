// The official JavaScript client against a server: node client.mjs KUBECONFIG NAMESPACE. Prints one line a check that
// passed; ends with 1 at the first that fails.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';

const [, , kubeconfig, namespace] = process.argv;
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);
const as = (strategy) => k8s.setHeaderOptions('Content-Type', strategy);

const map = (name, data, labels) => ({ metadata: { name, labels }, data });
const deployment = (name) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
        replicas: 2,
        selector: { matchLabels: { app: name } },
        template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: 'a', image: 'example/a:1' }] },
        },
    },
});

async function refused(code, promise) {
    await assert.rejects(promise, (e) => {
        assert.equal(e.code, code, `${e}`);
        return true;
    });
}

const checks = {
    async 'create, read, replace, delete'() {
        const made = await core.createNamespacedConfigMap({ namespace, body: map('one', { a: '1' }) });
        assert.ok(made.metadata.creationTimestamp instanceof Date);
        await refused(409, core.createNamespacedConfigMap({ namespace, body: map('one', {}) }));
        made.data.a = '2';
        const next = await core.replaceNamespacedConfigMap({ namespace, name: 'one', body: made });
        assert.equal(next.data.a, '2');
        await refused(409, core.replaceNamespacedConfigMap({ namespace, name: 'one', body: { ...made, data: {} } }));
        const gone = await core.deleteNamespacedConfigMap({ namespace, name: 'one' });
        assert.equal(gone.status, 'Success');
        await refused(404, core.readNamespacedConfigMap({ namespace, name: 'one' }));
    },

    async 'lists: selectors and pages'() {
        for (let i = 0; i < 5; i++) {
            await core.createNamespacedConfigMap({ namespace, body: map(`page-${i}`, {}, { odd: `${i % 2}` }) });
        }
        const odd = await core.listNamespacedConfigMap({ namespace, labelSelector: 'odd=1' });
        assert.deepEqual(odd.items.map((o) => o.metadata.name), ['page-1', 'page-3']);
        const one = await core.listNamespacedConfigMap({ namespace, fieldSelector: 'metadata.name=page-2' });
        assert.equal(one.items.length, 1);
        const names = [];
        let _continue;
        do {
            const page = await core.listNamespacedConfigMap({ namespace, labelSelector: 'odd', limit: 2, _continue });
            names.push(...page.items.map((o) => o.metadata.name));
            _continue = page.metadata._continue;
        } while (_continue);
        assert.equal(names.length, 5);
        await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'odd' });
        assert.equal((await core.listNamespacedConfigMap({ namespace, labelSelector: 'odd' })).items.length, 0);
    },

    async 'the patches'() {
        await apps.createNamespacedDeployment({ namespace, body: deployment('web') });
        const at = { namespace, name: 'web' };
        let d = await apps.patchNamespacedDeployment(
            { ...at, body: [{ op: 'replace', path: '/spec/replicas', value: 3 }] },
            as(k8s.PatchStrategy.JsonPatch),
        );
        assert.equal(d.spec.replicas, 3);
        d = await apps.patchNamespacedDeployment(
            { ...at, body: { metadata: { annotations: { a: 'b' } } } },
            as(k8s.PatchStrategy.MergePatch),
        );
        assert.equal(d.metadata.annotations.a, 'b');
        d = await apps.patchNamespacedDeployment(
            { ...at, body: { spec: { template: { spec: { containers: [{ name: 'b', image: 'example/b:1' }] } } } } },
            as(k8s.PatchStrategy.StrategicMergePatch),
        );
        assert.deepEqual(d.spec.template.spec.containers.map((c) => c.name).sort(), ['a', 'b']);
        const scale = await apps.readNamespacedDeploymentScale(at);
        scale.spec.replicas = 1;
        await apps.replaceNamespacedDeploymentScale({ ...at, body: scale });
        assert.equal((await apps.readNamespacedDeployment(at)).spec.replicas, 1);
        d.status = { replicas: 1 };
        d.metadata.resourceVersion = undefined;
        assert.equal((await apps.replaceNamespacedDeploymentStatus({ ...at, body: d })).status.replicas, 1);
    },

    async 'server-side apply: owners and conflicts'() {
        const at = { namespace, name: 'applied' };
        const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: '1', b: '2' } };
        const apply = (fieldManager, data, force) =>
            core.patchNamespacedConfigMap(
                { ...at, body: { ...body, data }, fieldManager, force },
                as(k8s.PatchStrategy.ServerSideApply),
            );
        await apply('first', { a: '1', b: '2' });
        await refused(409, apply('second', { a: '3' }));
        assert.equal((await apply('second', { a: '3' }, true)).data.a, '3');
        const left = await apply('first', { b: '2' });
        assert.deepEqual(left.data, { a: '3', b: '2' });
        assert.deepEqual(left.metadata.managedFields.map((m) => m.manager).sort(), ['first', 'second']);
    },

    async 'objects of any kind'() {
        const spec = { ...deployment('any'), metadata: { name: 'any', namespace } };
        await objects.create(spec);
        const read = await objects.read({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: spec.metadata });
        assert.equal(read.spec.replicas, 2);
        spec.spec.replicas = 5;
        const patched = await objects.patch(spec, undefined, undefined, 'me', undefined, k8s.PatchStrategy.MergePatch);
        assert.equal(patched.spec.replicas, 5);
        const listed = await objects.list('apps/v1', 'Deployment', namespace);
        assert.ok(listed.items.some((o) => o.metadata.name === 'any'));
        await objects.delete(spec);
        await refused(404, objects.read(spec));
    },

    async 'a watch'() {
        const watch = new k8s.Watch(config);
        const seen = [];
        let all;
        const done = new Promise((resolve) => (all = resolve));
        const request = await watch.watch(
            `/api/v1/namespaces/${namespace}/configmaps`,
            { labelSelector: 'watched' },
            (type, o) => {
                seen.push(`${type} ${o.metadata.name} ${o.data?.a ?? ''}`);
                if (type === 'DELETED') all();
            },
            () => {},
        );
        await core.createNamespacedConfigMap({ namespace, body: map('w', { a: '1' }, { watched: 'yes' }) });
        await core.patchNamespacedConfigMap(
            { namespace, name: 'w', body: { data: { a: '2' } } },
            as(k8s.PatchStrategy.MergePatch),
        );
        await core.deleteNamespacedConfigMap({ namespace, name: 'w' });
        await done;
        request.abort();
        assert.deepEqual(seen, ['ADDED w 1', 'MODIFIED w 2', 'DELETED w 2']);
    },

    async 'an informer'() {
        const events = [];
        const waiting = [];
        const note = (what) => (o) => {
            events.push(`${what} ${o.metadata.name}`);
            waiting.splice(0).forEach((check) => check());
        };
        const until = (holds) =>
            new Promise((resolve) => {
                const check = () => (holds() ? resolve() : waiting.push(check));
                check();
            });
        await core.createNamespacedConfigMap({ namespace, body: map('before', {}, { informed: 'yes' }) });
        const informer = k8s.makeInformer(
            config,
            `/api/v1/namespaces/${namespace}/configmaps`,
            () => core.listNamespacedConfigMap({ namespace, labelSelector: 'informed' }),
            'informed',
        );
        informer.on('add', note('add'));
        informer.on('update', note('update'));
        informer.on('delete', note('delete'));
        await informer.start();
        await until(() => events.includes('add before'));
        await core.createNamespacedConfigMap({ namespace, body: map('after', {}, { informed: 'yes' }) });
        await until(() => events.includes('add after'));
        await core.patchNamespacedConfigMap(
            { namespace, name: 'after', body: { data: { a: '1' } } },
            as(k8s.PatchStrategy.MergePatch),
        );
        await until(() => events.includes('update after'));
        assert.equal(informer.get('after', namespace).data.a, '1');
        // What no longer fits the selector is gone to it.
        await core.patchNamespacedConfigMap(
            { namespace, name: 'before', body: { metadata: { labels: { informed: null } } } },
            as(k8s.PatchStrategy.MergePatch),
        );
        await until(() => events.includes('delete before'));
        assert.deepEqual(informer.list(namespace).map((o) => o.metadata.name), ['after']);
        await informer.stop();
    },
};

try {
    for (const [name, check] of Object.entries(checks)) {
        await check();
        console.log(`ok ${name}`);
    }
    process.exit(0);
} catch (e) {
    console.error(e);
    process.exit(1);
}
