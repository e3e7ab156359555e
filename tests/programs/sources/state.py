"""Order of reads and writes, swapped variables, sizes that change, nested results, decorator forms."""

import functools

import tensorflow as tf

v = tf.Variable(1.0)


@tf.function
def order():
    a = v.read_value()
    v.assign_add(1.0)
    b = v.read_value()
    v.assign(v * 10.0)
    return a, b, v


print([float(x) for x in order()], [float(x) for x in order()])


@tf.function
def swap(a, b):
    t = tf.identity(a)
    a.assign(b)
    b.assign(t)


p, q = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
swap(p, q)
print(p.numpy(), q.numpy())
swap(q, p)
print(p.numpy(), q.numpy())


class Acc(tf.Module):
    def __init__(self):
        self.t = tf.Variable(0.0)
        self.n = tf.Variable(0)

    @tf.function
    def update(self, x):
        self.t.assign_add(tf.reduce_sum(x))
        self.n.assign_add(tf.size(x))

    @tf.function
    def result(self):
        return self.t / tf.cast(self.n, tf.float32)

    def reset(self):
        self.t.assign(0.0)
        self.n.assign(0)


a, b = Acc(), Acc()
for n in (3, 1, 5):
    a.update(tf.ones([n]) * n)
b.update(tf.ones([2]))
print(a.result(), b.result(), a.update(tf.ones([1])))
a.reset()
print(a.n)
print(len(a.trainable_variables), len(a.variables))


@tf.function
def noop(x):
    return x


c = 2.0


@tf.function
def clo(x):
    return x * c


print(clo(tf.constant(1.0)))


@tf.function
def multi(x):
    return x, x, [x, (x,)], {"k": x + 1.0}


print(multi(tf.constant(1.0)))


@tf.function
def retv():
    return v


w = tf.Variable(tf.ones([2, 2]))
w2 = tf.Variable([[0.0, 1.0]], trainable=False, name="frozen")
with tf.GradientTape() as t:
    y = tf.reduce_sum(w @ tf.transpose(w2))
print(t.gradient(y, [w, w2]))
print([q.name for q in t.watched_variables()])


@tf.function
def loop(x):
    s = tf.zeros_like(x)
    for i in range(5):
        s = s + x * i
    return s


print(loop(tf.constant([1, 2])))


@tf.function
def zipd(d, l):
    out = {}
    for k in sorted(d):
        out[k] = d[k] + tf.add_n(l)
    return out, [tf.reduce_sum(q) for q in l]


print(zipd({"a": tf.constant(1.0), "b": tf.constant(2.0)}, [tf.constant(1.0), tf.constant(2.0)]))
ema = tf.Variable(tf.zeros([3]), trainable=False)


@tf.function(reduce_retracing=True)
def upd(x):
    m = tf.reduce_mean(x, 0)
    ema.assign(0.9 * ema + 0.1 * m)
    return ema - m


for n in (4, 2, 1, 7):
    print(upd(tf.ones([n, 3]) * n).numpy())


@tf.function
def two(a, b):
    return tf.reduce_sum(a) + tf.reduce_sum(b)


for n, m in ((1, 1), (2, 3), (3, 2), (0, 5), (4, 4)):
    print(two(tf.ones([n]), tf.ones([m])).numpy())


@tf.function
def matm(a, b):
    return tf.matmul(a, b)


for s in ((1, 2, 3), (4, 2, 3), (4, 5, 6), (2, 2, 2), (1, 1, 1), (0, 3, 2), (2, 0, 2)):
    print(matm(tf.ones(s[:2]), tf.ones(s[1:])).numpy())


@tf.function
def concat(a, b):
    return tf.concat([a, b], 0), tf.stack([tf.shape(a)[0], tf.shape(b)[0]]), tf.concat([a, b], 0)[1:]


for n, m in ((1, 1), (2, 3), (3, 2), (0, 5)):
    print([o.numpy().tolist() for o in concat(tf.ones([n]), tf.zeros([m]))])


@tf.function
def meanm(x):
    return tf.reduce_mean(x), tf.reduce_max(x), tf.reduce_mean(x, 0), tf.argmax(x, -1), tf.nn.softmax(x)


for n in (3, 2, 1):
    print([o.numpy().tolist() for o in meanm(tf.reshape(tf.range(n * 2.0), [n, 2]))])
print([o.numpy().tolist() for o in meanm(tf.zeros([0, 2]))])


@tf.function
def cond(x, flag):
    return x + 1 if flag else x - 1


@tf.function
def nested_ret(x):
    return {"z": (x, None), "a": [x * 2, {"q": x}]}


print(nested_ret(tf.constant(1)))


class Cfg:
    def __init__(s, k):
        s.k = k


@tf.function
def obj(x, cfg):
    return x * cfg.k


print(obj(tf.constant(2.0), Cfg(3.0)), obj(tf.constant(2.0), Cfg(4.0)))


class S:
    scale = 3.0

    @staticmethod
    @tf.function
    def st(x):
        return x * 2.0

    @classmethod
    @tf.function
    def cl(cls, x):
        return x * cls.scale

    @property
    @tf.function
    def pr(self):
        return tf.constant(4.0)


print(S.st(tf.constant(1.0)), S().st(tf.constant(2.0)), S.cl(tf.constant(1.0)), S().pr)
print(tf.function(functools.partial(lambda a, b: a - b, b=2.0))(tf.constant(5.0)), tf.function(lambda: tf.constant(1))())
print(tf.function(tf.function(lambda x: x + 1))(tf.constant(1)), tf.function(S.st)(tf.constant(1.0)))
