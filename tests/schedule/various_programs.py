"""Twenty-odd programs of different kinds for random schedules, each a function `main`."""

from schedule_programs import PROGRAMS as FIRST_PROGRAMS


def program(params: str, body: str) -> str:
    """A function with a root block around `body`."""
    lines = [line for line in body.strip("\n").splitlines() if line.strip()]
    inner = "\n".join("        " + line for line in lines)
    return f'@T.prim_func\ndef main({params}):\n    with T.block("root"):\n{inner}\n'


BATCHED = program('A: T.Buffer((3, 5, 7), "int8"), B: T.Buffer((3, 7, 4), "int8"), '
                  'C: T.Buffer((3, 5, 4), "int32")', """
for b, i, j, k in T.grid(3, 5, 4, 7):
    with T.block("C"):
        vb, vi, vj, vk = T.axis.remap("SSSR", [b, i, j, k])
        with T.init():
            C[vb, vi, vj] = 0
        C[vb, vi, vj] = C[vb, vi, vj] + T.Cast("int32", A[vb, vi, vk]) * T.Cast("int32", B[vb, vk, vj])
""")

CONVOLUTION = program("X: T.Buffer((3, 6, 7)), W: T.Buffer((4, 3, 3, 3)), Y: T.Buffer((4, 6, 7))", """
P = T.alloc_buffer((3, 8, 9))
C = T.alloc_buffer((4, 6, 7))
for c, h, w in T.grid(3, 8, 9):
    with T.block("pad"):
        vc, vh, vw = T.axis.remap("SSS", [c, h, w])
        P[vc, vh, vw] = T.if_then_else(vh >= 1 and vh < 7 and vw >= 1 and vw < 8, X[vc, vh - 1, vw - 1], T.float32(0))
for o, h, w, c, r, s in T.grid(4, 6, 7, 3, 3, 3):
    with T.block("conv"):
        vo, vh, vw, vc, vr, vs = T.axis.remap("SSSRRR", [o, h, w, c, r, s])
        with T.init():
            C[vo, vh, vw] = T.float32(0)
        C[vo, vh, vw] = C[vo, vh, vw] + P[vc, vh + vr, vw + vs] * W[vo, vc, vr, vs]
for o, h, w in T.grid(4, 6, 7):
    with T.block("relu"):
        vo, vh, vw = T.axis.remap("SSS", [o, h, w])
        Y[vo, vh, vw] = T.max(C[vo, vh, vw], T.float32(0))
""")

SOFTMAX = program("A: T.Buffer((5, 9)), Y: T.Buffer((5, 9))", """
M = T.alloc_buffer((5,))
E = T.alloc_buffer((5, 9))
S = T.alloc_buffer((5,))
for i, k in T.grid(5, 9):
    with T.block("M"):
        vi, vk = T.axis.remap("SR", [i, k])
        with T.init():
            M[vi] = T.float32(-3.4028234663852886e38)
        M[vi] = T.max(M[vi], A[vi, vk])
for i, j in T.grid(5, 9):
    with T.block("E"):
        vi, vj = T.axis.remap("SS", [i, j])
        E[vi, vj] = T.exp(A[vi, vj] - M[vi])
for i, k in T.grid(5, 9):
    with T.block("S"):
        vi, vk = T.axis.remap("SR", [i, k])
        with T.init():
            S[vi] = T.float32(0)
        S[vi] = S[vi] + E[vi, vk]
for i, j in T.grid(5, 9):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = E[vi, vj] / S[vi]
""")

LAYER_NORM = program("A: T.Buffer((4, 10)), G: T.Buffer((10,)), Y: T.Buffer((4, 10))", """
S = T.alloc_buffer((4,))
Q = T.alloc_buffer((4,))
for i, k in T.grid(4, 10):
    with T.block("moments"):
        vi, vk = T.axis.remap("SR", [i, k])
        with T.init():
            S[vi] = T.float32(0)
            Q[vi] = T.float32(0)
        S[vi] = S[vi] + A[vi, vk]
        Q[vi] = Q[vi] + A[vi, vk] * A[vi, vk]
for i, j in T.grid(4, 10):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = (A[vi, vj] - S[vi] / T.float32(10)) * T.rsqrt(Q[vi] / T.float32(10) + T.float32(3)) * G[vj]
""")

ARGMAX = program('A: T.Buffer((6, 8)), V: T.Buffer((6,)), K: T.Buffer((6,), "int32")', """
for i, k in T.grid(6, 8):
    with T.block("argmax"):
        vi, vk = T.axis.remap("SR", [i, k])
        with T.init():
            V[vi] = T.float32(-3.4028234663852886e38)
            K[vi] = -1
        v: T.float32 = T.Select(V[vi] >= A[vi, vk], V[vi], A[vi, vk])
        k1: T.int32 = T.Select(V[vi] >= A[vi, vk], K[vi], vk)
        V[vi] = v
        K[vi] = k1
""")

BLUR = program("A: T.Buffer((10, 11)), Y: T.Buffer((8, 9))", """
B = T.alloc_buffer((10, 9))
for i, j in T.grid(10, 9):
    with T.block("across"):
        vi, vj = T.axis.remap("SS", [i, j])
        B[vi, vj] = A[vi, vj] + A[vi, vj + 1] + A[vi, vj + 2]
for i, j in T.grid(8, 9):
    with T.block("down"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = B[vi, vj] + B[vi + 1, vj] + B[vi + 2, vj]
""")

PREFIX_SUM = program("A: T.Buffer((4, 9)), P: T.Buffer((4, 9)), Y: T.Buffer((4, 9))", """
for i, j in T.grid(4, 9):
    with T.block("P"):
        vi = T.axis.spatial(4, i)
        vj = T.axis.scan(9, j)
        P[vi, vj] = A[vi, vj] + T.if_then_else(vj > 0, P[vi, T.max(vj - 1, 0)], T.float32(0))
for i, j in T.grid(4, 9):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = P[vi, 8 - vj] * T.float32(2)
""")

GATHER = program('A: T.Buffer((7, 5)), I: T.Buffer((6,), "int32"), Y: T.Buffer((6, 5))', """
D = T.alloc_buffer((7, 5))
for i, j in T.grid(7, 5):
    with T.block("D"):
        vi, vj = T.axis.remap("SS", [i, j])
        D[vi, vj] = A[vi, vj] + T.float32(1)
for i, j in T.grid(6, 5):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = D[I[vi] % 7, vj]
""")

SCATTER = program('A: T.Buffer((9,)), I: T.Buffer((9,), "int32"), Y: T.Buffer((7,))', """
Z = T.alloc_buffer((9,))
for i in range(7):
    with T.block("zero"):
        vi = T.axis.spatial(7, i)
        Y[vi] = T.float32(0)
for i in range(9):
    with T.block("Z"):
        vi = T.axis.spatial(9, i)
        Z[vi] = A[vi] * T.float32(3)
for i in range(9):
    with T.block("Y"):
        vi = T.axis.opaque(9, i)
        T.reads(Y[0:7], Z[vi], I[vi])
        T.writes(Y[0:7])
        Y[I[vi] % 7] = Y[I[vi] % 7] + Z[vi]
""")

LAST_WINS = program('A: T.Buffer((3, 5)), I: T.Buffer((3, 5), "int32"), Y: T.Buffer((7,))', """
for i in range(7):
    with T.block("zero"):
        vi = T.axis.spatial(7, i)
        Y[vi] = T.float32(0)
for i, j in T.grid(3, 5):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        T.reads(A[vi, vj], I[vi, vj])
        T.writes(Y[0:7])
        Y[I[vi, vj] % 7] = A[vi, vj]
""")

TRANSPOSES = program("A: T.Buffer((4, 6, 5)), Y: T.Buffer((5, 24))", """
B = T.alloc_buffer((5, 4, 6))
C = T.alloc_buffer((120,))
for i, j, k in T.grid(5, 4, 6):
    with T.block("B"):
        vi, vj, vk = T.axis.remap("SSS", [i, j, k])
        B[vi, vj, vk] = A[vj, vk, vi]
for i in range(120):
    with T.block("C"):
        vi = T.axis.spatial(120, i)
        C[vi] = B[vi // 24, vi // 6 % 4, vi % 6] + T.float32(1)
for i, j in T.grid(5, 24):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = C[vi * 24 + vj] * T.float32(2)
""")

SYMBOLIC = '''
@T.prim_func
def main(a: T.handle, b: T.handle, y: T.handle):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m))
    B = T.match_buffer(b, (m,))
    Y = T.match_buffer(y, (n,))
    with T.block("root"):
        C = T.alloc_buffer((n, m))
        for i, j in T.grid(n, m):
            with T.block("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = A[vi, vj] * B[vj]
        for i, k in T.grid(n, m):
            with T.block("Y"):
                vi, vk = T.axis.remap("SR", [i, k])
                with T.init():
                    Y[vi] = T.float32(0)
                Y[vi] = Y[vi] + C[vi, vk]
'''

SYMBOLIC_MATMUL = '''
@T.prim_func
def main(a: T.handle, b: T.handle, y: T.handle):
    n, k = T.int64(), T.int64()
    A = T.match_buffer(a, (n, k))
    B = T.match_buffer(b, (k, 6))
    Y = T.match_buffer(y, (n, 6))
    with T.block("root"):
        for i, j, l in T.grid(n, 6, k):
            with T.block("Y"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, l])
                with T.init():
                    Y[vi, vj] = T.float32(0)
                Y[vi, vj] = Y[vi, vj] + A[vi, vk] * B[vk, vj]
'''

PREDICATES = program("A: T.Buffer((13,)), B: T.Buffer((13, 5)), Y: T.Buffer((13,)), Z: T.Buffer((13,))", """
C = T.alloc_buffer((13,))
for i0, i1 in T.grid(4, 4):
    with T.block("C"):
        T.where(i0 * 4 + i1 < 13)
        vi = T.axis.spatial(13, i0 * 4 + i1)
        C[vi] = A[vi] * T.float32(2)
for i0, i1, k in T.grid(3, 5, 5):
    with T.block("Y"):
        T.where(i0 * 5 + i1 < 13)
        vi = T.axis.spatial(13, i0 * 5 + i1)
        vk = T.axis.reduce(5, k)
        with T.init():
            Y[vi] = T.float32(1)
        Y[vi] = Y[vi] + C[vi] * B[vi, vk]
for i in range(13):
    with T.block("Z"):
        vi = T.axis.spatial(13, i)
        Z[vi] = Y[vi] - C[vi]
""")

INTEGERS = program('A: T.Buffer((6, 7), "int32"), M: T.Buffer((6, 7), "bool"), Y: T.Buffer((6,), "int32"), '
                   'N: T.Buffer((6, 7), "bool"), U: T.Buffer((6, 7), "uint8")', """
B = T.alloc_buffer((6, 7), "int32")
for i, j in T.grid(6, 7):
    with T.block("B"):
        vi, vj = T.axis.remap("SS", [i, j])
        B[vi, vj] = T.Select(M[vi, vj], A[vi, vj] // 3, T.shift_right(A[vi, vj], 1) ^ 5)
for i, j in T.grid(6, 7):
    with T.block("N"):
        vi, vj = T.axis.remap("SS", [i, j])
        N[vi, vj] = B[vi, vj] > 2 and M[vi, vj]
for i, j in T.grid(6, 7):
    with T.block("U"):
        vi, vj = T.axis.remap("SS", [i, j])
        U[vi, vj] = T.Cast("uint8", T.abs(B[vi, vj] % 50))
for i, j in T.grid(6, 7):
    with T.block("Y"):
        vi, vj = T.axis.remap("SR", [i, j])
        with T.init():
            Y[vi] = 1
        Y[vi] = T.min(Y[vi], B[vi, vj])
""")

IN_PLACE = program("A: T.Buffer((5, 8)), B: T.Buffer((5, 8))", """
for i, j in T.grid(5, 8):
    with T.block("twice"):
        vi, vj = T.axis.remap("SS", [i, j])
        A[vi, vj] = A[vi, vj] * T.float32(2)
for i, j in T.grid(5, 8):
    with T.block("B"):
        vi, vj = T.axis.remap("SS", [i, j])
        B[vi, vj] = B[vi, vj] + A[vi, 7 - vj]
for i, j in T.grid(5, 8):
    with T.block("again"):
        vi, vj = T.axis.remap("SS", [i, j])
        A[vi, vj] = A[vi, vj] + B[4 - vi, vj]
""")

SHIFTED = program("A: T.Buffer((6, 9)), B: T.Buffer((6, 8))", """
for i, j in T.grid(6, 8):
    with T.block("shift"):
        vi, vj = T.axis.remap("SS", [i, j])
        A[vi, vj] = A[vi, vj + 1] * T.float32(0.5)
for i, j in T.grid(6, 8):
    with T.block("B"):
        vi, vj = T.axis.remap("SS", [i, j])
        B[vi, vj] = A[vi, vj + 1] + A[5 - vi, vj]
""")

SEVERAL_OUTPUTS = program("A: T.Buffer((4, 6)), L: T.Buffer((4, 6)), R: T.Buffer((4, 6)), "
                          "S: T.Buffer((6,)), T1: T.Buffer((6,))", """
H = T.alloc_buffer((4, 6))
for i, j in T.grid(4, 6):
    with T.block("H"):
        vi, vj = T.axis.remap("SS", [i, j])
        H[vi, vj] = A[vi, vj] * A[vi, vj]
for i, j in T.grid(4, 6):
    with T.block("LR"):
        vi, vj = T.axis.remap("SS", [i, j])
        L[vi, vj] = H[vi, vj] + T.float32(1)
        R[vi, vj] = H[vi, vj] - L[vi, vj]
for j, i in T.grid(6, 4):
    with T.block("S"):
        vj, vi = T.axis.remap("SR", [j, i])
        with T.init():
            S[vj] = T.float32(0)
        S[vj] = S[vj] + R[vi, vj]
for j in range(6):
    with T.block("T"):
        vj = T.axis.spatial(6, j)
        T1[vj] = S[vj] * L[0, vj] + H[3, vj]
""")

POOLING = program('A: T.Buffer((2, 9, 9), "int32"), Y: T.Buffer((2, 4, 4), "int32")', """
B = T.alloc_buffer((2, 9, 9), "int32")
for c, h, w in T.grid(2, 9, 9):
    with T.block("B"):
        vc, vh, vw = T.axis.remap("SSS", [c, h, w])
        B[vc, vh, vw] = T.max(A[vc, vh, vw], 0)
for c, h, w, r, s in T.grid(2, 4, 4, 3, 3):
    with T.block("Y"):
        vc, vh, vw, vr, vs = T.axis.remap("SSSRR", [c, h, w, r, s])
        with T.init():
            Y[vc, vh, vw] = -2147483648
        Y[vc, vh, vw] = T.max(Y[vc, vh, vw], B[vc, vh * 2 + vr, vw * 2 + vs])
""")

NESTED = program("A: T.Buffer((8, 12)), B: T.Buffer((12, 8)), Y: T.Buffer((8, 8))", """
C = T.alloc_buffer((8, 8))
for i, j in T.grid(2, 2):
    with T.block("tile"):
        vi, vj = T.axis.remap("SS", [i, j])
        T.reads(A[vi * 4:vi * 4 + 4, 0:12], B[0:12, vj * 4:vj * 4 + 4])
        T.writes(C[vi * 4:vi * 4 + 4, vj * 4:vj * 4 + 4])
        for i1, j1, k in T.grid(4, 4, 12):
            with T.block("point"):
                wi, wj, wk = T.axis.remap("SSR", [i1, j1, k])
                with T.init():
                    C[vi * 4 + wi, vj * 4 + wj] = T.float32(0)
                C[vi * 4 + wi, vj * 4 + wj] = C[vi * 4 + wi, vj * 4 + wj] + A[vi * 4 + wi, wk] * B[wk, vj * 4 + wj]
for i, j in T.grid(8, 8):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = C[vj, vi] + T.float32(1)
""")

TRIANGLE = program("A: T.Buffer((7, 7)), Y: T.Buffer((7, 7)), S: T.Buffer((7,))", """
for i, j in T.grid(7, 7):
    with T.block("zero"):
        vi, vj = T.axis.remap("SS", [i, j])
        Y[vi, vj] = T.float32(0)
for i in range(7):
    for j in range(i + 1):
        with T.block("Y"):
            vi, vj = T.axis.remap("SS", [i, j])
            Y[vi, vj] = A[vi, vj] * T.float32(2)
for i in range(7):
    for k in range(i + 1):
        with T.block("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + Y[vi, vk]
""")

LOCALS = program("A: T.Buffer((6, 10)), Y: T.Buffer((6,))", """
R = T.alloc_buffer((10,), scope="local")
for i in range(6):
    for j in range(10):
        with T.block("R"):
            vi, vj = T.axis.remap("SS", [i, j])
            T.reads(A[vi, vj])
            T.writes(R[vj])
            R[vj] = A[vi, vj] * A[vi, vj]
    for k in range(10):
        with T.block("Y"):
            vi, vk = T.axis.remap("SR", [i, k])
            with T.init():
                Y[vi] = T.float32(0)
            Y[vi] = Y[vi] + R[vk] * T.if_then_else(vk > 2, R[vk], T.float32(1))
""")

STATEMENTS = program("A: T.Buffer((5, 6)), Y: T.Buffer((5, 6)), C: T.Buffer((5,), \"int32\")", """
for i, j in T.grid(5, 6):
    with T.block("Y"):
        vi, vj = T.axis.remap("SS", [i, j])
        x: T.float32 = A[vi, vj]
        if x > T.float32(0):
            Y[vi, vj] = T.sqrt(x)
        else:
            Y[vi, vj] = x * x
for i in range(5):
    with T.block("C"):
        vi = T.axis.spatial(5, i)
        C[vi] = 0
        for j in range(6):
            if Y[vi, j] > T.float32(0.5):
                C[vi] = C[vi] + 1
""")

DEPTHWISE = program("X: T.Buffer((4, 9, 9)), W: T.Buffer((4, 3, 3)), B: T.Buffer((4,)), "
                    "Y: T.Buffer((4, 4, 4))", """
D = T.alloc_buffer((4, 4, 4))
for c, h, w, r, s in T.grid(4, 4, 4, 3, 3):
    with T.block("D"):
        vc, vh, vw, vr, vs = T.axis.remap("SSSRR", [c, h, w, r, s])
        with T.init():
            D[vc, vh, vw] = T.float32(0)
        D[vc, vh, vw] = D[vc, vh, vw] + X[vc, vh * 2 + vr, vw * 2 + vs] * W[vc, vr, vs]
for c, h, w in T.grid(4, 4, 4):
    with T.block("Y"):
        vc, vh, vw = T.axis.remap("SSS", [c, h, w])
        Y[vc, vh, vw] = D[vc, vh, vw] + B[vc]
""")

VARIOUS = FIRST_PROGRAMS | {
    "batched": BATCHED, "convolution": CONVOLUTION, "softmax": SOFTMAX, "layer_norm": LAYER_NORM,
    "argmax": ARGMAX, "blur": BLUR, "prefix_sum": PREFIX_SUM, "gather": GATHER,
    "scatter": SCATTER, "last_wins": LAST_WINS, "transposes": TRANSPOSES, "symbolic": SYMBOLIC,
    "symbolic_matmul": SYMBOLIC_MATMUL, "predicates": PREDICATES, "integers": INTEGERS,
    "in_place": IN_PLACE, "shifted": SHIFTED, "several_outputs": SEVERAL_OUTPUTS,
    "pooling": POOLING, "nested": NESTED, "triangle": TRIANGLE, "locals": LOCALS,
    "statements": STATEMENTS, "depthwise": DEPTHWISE}
