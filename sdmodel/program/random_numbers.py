"""Random numbers in machine code: a generator without a state, and the inversion of distributions that needs a loop.

The generator is Philox 4x32-10 (Salmon, Moraes, Dror and Shaw: Parallel random numbers: as easy as 1, 2, 3; SC11, 2011). It turns a
counter and a key into 128 bits. The key is the seed and the stream; the counter is the time step, the member, and the 64 bits of the
place that draws. So a number depends on nothing else: not on the members beside it, the block, the thread, or where a run began.
"""

from __future__ import annotations

from string import Template

from .ir import numbers

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_MASK = 2**32 - 1
_WHOLE = 0x4338000000000000
"""The bits of 1.5 * 2^52: the sum of this number and a whole one has the latter in its lowest bits."""


def random_text(width: int) -> str:
    """The functions `@draw`, for each of `width` members, and `@quantile_...`, for one."""
    one, several = numbers(1), numbers(width)
    if width == 1:
        calls = {name: f"  %{name}_y = call {one} @m_{name}({one} %x)" for name in ("exp", "log")}
    else:
        spread = (
            f"  %first = insertelement {several} poison, double %x, i64 0\n"
            f"  %all = shufflevector {several} %first, {several} poison, <{width} x i32> zeroinitializer\n"
        )
        calls = {
            name: f"{spread}  %every = call {several} @m_{name}({several} %all)\n"
            f"  %{name}_y = extractelement {several} %every, i64 0"
            for name in ("exp", "log")
        }
    scalars = [
        f"define internal double @one_{name}(double %x) nounwind alwaysinline {{\n{call}\n  ret double %{name}_y\n}}"
        for name, call in calls.items()
    ]
    names = ("ceil",) if width == 1 else ("ceil", "fabs", "floor", "sqrt")
    scalars += [f"declare double @llvm.{name}.f64(double)" for name in names]
    tails = [_TAIL_OF_GAMMA, _TAIL_OF_BETA]
    return "\n".join([_draw_text(width), *scalars, *tails, *map(_quantile_text, ("gamma", "beta")), _COUNTS])


def _draw_text(width: int) -> str:
    """A uniform number between 0 and 1 from the first 52 of the bits, half a unit of the last one away from either."""
    whole = "i64" if width == 1 else f"<{width} x i64>"
    real = numbers(width)
    lines: list[str] = []

    def put(instruction: str) -> str:
        lines.append(f"  %r{len(lines)} = {instruction}")
        return f"%r{len(lines) - 1}"

    def spread(value: float) -> str:
        text = str(value) if isinstance(value, int) else f"{value!r}"
        return text if width == 1 else f"splat ({whole.rsplit(' x ', maxsplit=1)[-1].rstrip('>')} {text})"

    def masked(value: str) -> str:
        return put(f"and {whole} {value}, {spread(_MASK)}")

    def bits(argument: str) -> str:
        shift = f"bitcast ({whole} {spread(_WHOLE)} to {real})"
        return masked(put(f"bitcast {real} {put(f'fadd {real} {argument}, {shift}')} to {whole}"))

    place = "%site"
    if width > 1:
        first = put(f"insertelement {whole} poison, i64 %site, i64 0")
        place = put(f"shufflevector {whole} {first}, {whole} poison, <{width} x i32> zeroinitializer")
    key = [bits("%seed"), bits("%stream")]
    counter = [bits("%step"), bits("%member"), masked(place), put(f"lshr {whole} {place}, {spread(32)}")]
    for number in range(_ROUNDS):
        if number:
            key = [masked(put(f"add {whole} {word}, {spread(more)}")) for word, more in zip(key, _WEYL, strict=True)]
        products = [
            put(f"mul {whole} {word}, {spread(by)}") for word, by in zip(counter[::2], _MULTIPLIERS, strict=True)
        ]
        high = [put(f"lshr {whole} {product}, {spread(32)}") for product in products]
        mixed = [
            put(f"xor {whole} {put(f'xor {whole} {part}, {word}')}, {own}")
            for part, word, own in zip(high[::-1], counter[1::2], key, strict=True)
        ]
        counter = [mixed[0], masked(products[1]), mixed[1], masked(products[0])]
    long = put(f"or {whole} {counter[0]}, {put(f'shl {whole} {counter[1]}, {spread(32)}')}")
    fraction = put(f"or {whole} {put(f'lshr {whole} {long}, {spread(12)}')}, {spread(0x3FF0000000000000)}")
    almost_one = f"bitcast ({whole} {spread(0x3FEFFFFFFFFFFFFF)} to {real})"
    result = put(f"fsub {real} {put(f'bitcast {whole} {fraction} to {real}')}, {almost_one}")
    words = ", ".join(f"{real} %{name}" for name in ("seed", "stream", "step", "member"))
    head = f"define internal {real} @draw({words}, i64 %site) nounwind {{"
    return "\n".join([head, *lines, f"  ret {real} {result}", "}"])


_TAIL_OF_GAMMA = """
; the share of a gamma distribution of order a below x, or above it, and its density; %logs is the logarithm of gamma(a)
; series 8.7.1 and continued fraction 8.9.2 of the Digital Library of Mathematical Functions, the latter by Lentz's method
define internal { double, double } @tail_gamma(double %a, double %b, double %logs, double %x, i1 %above) nounwind {
entry:
  %some = fcmp ogt double %x, 0.0
  br i1 %some, label %front, label %nothing
nothing:
  %none = select i1 %above, double 1.0, double 0.0
  br label %done
front:
  %lx = call double @one_log(double %x)
  %alx = fmul double %a, %lx
  %d1 = fsub double %alx, %x
  %d2 = fsub double %d1, %logs
  %size = call double @one_exp(double %d2)
  %a1 = fadd double %a, 1.0
  %small = fcmp olt double %x, %a1
  %inverse = fdiv double 1.0, %a
  br i1 %small, label %series, label %fraction
series:
  %n = phi double [ 1.0, %front ], [ %n2, %series ]
  %term = phi double [ %inverse, %front ], [ %term2, %series ]
  %sum = phi double [ %inverse, %front ], [ %sum2, %series ]
  %an = fadd double %a, %n
  %q = fdiv double %x, %an
  %term2 = fmul double %term, %q
  %sum2 = fadd double %sum, %term2
  %n2 = fadd double %n, 1.0
  %least = fmul double %sum2, 1.0e-17
  %more = fcmp ogt double %term2, %least
  %few = fcmp olt double %n2, 1.0e5
  %on = and i1 %more, %few
  br i1 %on, label %series, label %summed
summed:
  %lower = fmul double %size, %sum2
  br label %known
fraction:
  %b0 = fsub double %x, %a
  %b1 = fadd double %b0, 1.0
  %f0 = fdiv double 1.0, %b1
  br label %level
level:
  %i = phi double [ 1.0, %fraction ], [ %i2, %level ]
  %bi = phi double [ %b1, %fraction ], [ %bi2, %level ]
  %c = phi double [ 1.0e300, %fraction ], [ %c2, %level ]
  %d = phi double [ %f0, %fraction ], [ %dd, %level ]
  %h = phi double [ %f0, %fraction ], [ %h2, %level ]
  %ia = fsub double %i, %a
  %ai0 = fmul double %i, %ia
  %ai = fneg double %ai0
  %bi2 = fadd double %bi, 2.0
  %ad = fmul double %ai, %d
  %dn = fadd double %ad, %bi2
  %dd = fdiv double 1.0, %dn
  %ac = fdiv double %ai, %c
  %c2 = fadd double %bi2, %ac
  %del = fmul double %dd, %c2
  %h2 = fmul double %h, %del
  %i2 = fadd double %i, 1.0
  %off0 = fsub double %del, 1.0
  %off = call double @llvm.fabs.f64(double %off0)
  %bad = fcmp ogt double %off, 2.0e-16
  %few2 = fcmp olt double %i2, 1.0e5
  %on2 = and i1 %bad, %few2
  br i1 %on2, label %level, label %found
found:
  %upper = fmul double %size, %h2
  br label %known
known:
  %side = phi i1 [ false, %summed ], [ true, %found ]
  %share = phi double [ %lower, %summed ], [ %upper, %found ]
  %same = icmp eq i1 %side, %above
  %rest = fsub double 1.0, %share
  %wanted = select i1 %same, double %share, double %rest
  %density = fdiv double %size, %x
  br label %done
done:
  %value = phi double [ %none, %nothing ], [ %wanted, %known ]
  %slope = phi double [ 0.0, %nothing ], [ %density, %known ]
  %pair = insertvalue { double, double } poison, double %value, 0
  %both = insertvalue { double, double } %pair, double %slope, 1
  ret { double, double } %both
}"""

_TAIL_OF_BETA = """
; the continued fraction 8.17.22 of the Digital Library of Mathematical Functions, by Lentz's method
define internal double @fraction_of_beta(double %a, double %b, double %x) nounwind {
entry:
  %ab = fadd double %a, %b
  %ap = fadd double %a, 1.0
  %am = fsub double %a, 1.0
  %u0 = fmul double %ab, %x
  %u1 = fdiv double %u0, %ap
  %u2 = fsub double 1.0, %u1
  %d0 = fdiv double 1.0, %u2
  br label %level
level:
  %m = phi double [ 1.0, %entry ], [ %m2, %level ]
  %c = phi double [ 1.0, %entry ], [ %c4, %level ]
  %d = phi double [ %d0, %entry ], [ %d4, %level ]
  %h = phi double [ %d0, %entry ], [ %h2, %level ]
  %mm = fadd double %m, %m
  %bm = fsub double %b, %m
  %e1 = fmul double %m, %bm
  %e2 = fmul double %e1, %x
  %amm = fadd double %a, %mm
  %ammm = fadd double %am, %mm
  %e3 = fmul double %ammm, %amm
  %even = fdiv double %e2, %e3
  %ed = fmul double %even, %d
  %d1 = fadd double 1.0, %ed
  %d2 = fdiv double 1.0, %d1
  %ec = fdiv double %even, %c
  %c2 = fadd double 1.0, %ec
  %del1 = fmul double %d2, %c2
  %h1 = fmul double %h, %del1
  %o1 = fadd double %a, %m
  %o2 = fadd double %ab, %m
  %o3 = fmul double %o1, %o2
  %o4 = fmul double %o3, %x
  %apm = fadd double %ap, %mm
  %o5 = fmul double %amm, %apm
  %o6 = fdiv double %o4, %o5
  %odd = fneg double %o6
  %od = fmul double %odd, %d2
  %d3 = fadd double 1.0, %od
  %d4 = fdiv double 1.0, %d3
  %oc = fdiv double %odd, %c2
  %c4 = fadd double 1.0, %oc
  %del = fmul double %d4, %c4
  %h2 = fmul double %h1, %del
  %m2 = fadd double %m, 1.0
  %off0 = fsub double %del, 1.0
  %off = call double @llvm.fabs.f64(double %off0)
  %bad = fcmp ogt double %off, 2.0e-16
  %few = fcmp olt double %m2, 1.0e5
  %on = and i1 %bad, %few
  br i1 %on, label %level, label %done
done:
  ret double %h2
}

; the share of a beta distribution below x, or above it, and its density; %logs is the logarithm of beta(a, b)
define internal { double, double } @tail_beta(double %a, double %b, double %logs, double %x, i1 %above) nounwind {
entry:
  %some = fcmp ogt double %x, 0.0
  %not_all = fcmp olt double %x, 1.0
  %inside = and i1 %some, %not_all
  br i1 %inside, label %front, label %end
end:
  %whole = xor i1 %some, %above
  %full = select i1 %whole, double 1.0, double 0.0
  br label %done
front:
  %y = fsub double 1.0, %x
  %lx = call double @one_log(double %x)
  %ly = call double @one_log(double %y)
  %alx = fmul double %a, %lx
  %bly = fmul double %b, %ly
  %e1 = fadd double %alx, %bly
  %e2 = fsub double %e1, %logs
  %size = call double @one_exp(double %e2)
  %a1 = fadd double %a, 1.0
  %ab = fadd double %a, %b
  %ab2 = fadd double %ab, 2.0
  %middle = fdiv double %a1, %ab2
  %left = fcmp olt double %x, %middle
  %p = select i1 %left, double %a, double %b
  %q = select i1 %left, double %b, double %a
  %z = select i1 %left, double %x, double %y
  %h = call double @fraction_of_beta(double %p, double %q, double %z)
  %s1 = fmul double %size, %h
  %share = fdiv double %s1, %p
  %same = xor i1 %left, %above
  %rest = fsub double 1.0, %share
  %wanted = select i1 %same, double %share, double %rest
  %xy = fmul double %x, %y
  %density = fdiv double %size, %xy
  br label %done
done:
  %value = phi double [ %full, %end ], [ %wanted, %front ]
  %slope = phi double [ 0.0, %end ], [ %density, %front ]
  %pair = insertvalue { double, double } poison, double %value, 0
  %both = insertvalue { double, double } %pair, double %slope, 1
  ret { double, double } %both
}"""

_QUANTILE = Template("""
; the number of a distribution between low and high that belongs to u; by Newton's method, and by halves where that leaves the bracket
; it works on the smaller one of the shares below and above, which loses no digits
define internal double @quantile_$name(double %u, double %low, double %high, double %a, double %b, double %logs) nounwind noinline {
entry:
  $limit
  %l0 = fcmp ogt double %low, 0.0
  %from = select i1 %l0, double %low, double 0.0
  %h0 = fcmp olt double %high, %limit
  %h1 = select i1 %h0, double %high, double %limit
  %h2 = fcmp ogt double %h1, %from
  %to = select i1 %h2, double %h1, double %from
  %low0 = call { double, double } @tail_$name(double %a, double %b, double %logs, double %from, i1 false)
  %high0 = call { double, double } @tail_$name(double %a, double %b, double %logs, double %to, i1 false)
  %low1 = call { double, double } @tail_$name(double %a, double %b, double %logs, double %from, i1 true)
  %high1 = call { double, double } @tail_$name(double %a, double %b, double %logs, double %to, i1 true)
  %bl = extractvalue { double, double } %low0, 0
  %bh = extractvalue { double, double } %high0, 0
  %al = extractvalue { double, double } %low1, 0
  %ah = extractvalue { double, double } %high1, 0
  %b_width = fsub double %bh, %bl
  %b_part = fmul double %u, %b_width
  %b_wanted = fadd double %bl, %b_part
  %a_width = fsub double %al, %ah
  %a_u = fsub double 1.0, %u
  %a_part = fmul double %a_u, %a_width
  %a_wanted = fadd double %ah, %a_part
  %above = fcmp olt double %a_wanted, %b_wanted
  %wanted = select i1 %above, double %a_wanted, double %b_wanted
  $guess
  %g1 = fcmp ogt double %guess, %from
  %g2 = fcmp olt double %guess, %to
  %g3 = and i1 %g1, %g2
  %span = fadd double %from, %to
  %half = fmul double %span, 5.0e-1
  %x0 = select i1 %g3, double %guess, double %half
  br label %each
each:
  %n = phi i32 [ 0, %entry ], [ %n2, %each ]
  %x = phi double [ %x0, %entry ], [ %x2, %each ]
  %least = phi double [ %from, %entry ], [ %least2, %each ]
  %most = phi double [ %to, %entry ], [ %most2, %each ]
  %tail = call { double, double } @tail_$name(double %a, double %b, double %logs, double %x, i1 %above)
  %share = extractvalue { double, double } %tail, 0
  %density = extractvalue { double, double } %tail, 1
  %beyond = fsub double %share, %wanted
  %short = fsub double %wanted, %share
  %error = select i1 %above, double %short, double %beyond
  %is_low = fcmp olt double %error, 0.0
  %least2 = select i1 %is_low, double %x, double %least
  %most2 = select i1 %is_low, double %most, double %x
  %step = fdiv double %error, %density
  %newton = fsub double %x, %step
  %i1 = fcmp ogt double %newton, %least2
  %i2 = fcmp olt double %newton, %most2
  %i3 = and i1 %i1, %i2
  %ends = fadd double %least2, %most2
  %middle = fmul double %ends, 5.0e-1
  %x2 = select i1 %i3, double %newton, double %middle
  %move0 = fsub double %x2, %x
  %move = call double @llvm.fabs.f64(double %move0)
  %small = fmul double %x2, 4.0e-16
  %moves = fcmp ogt double %move, %small
  %n2 = add i32 %n, 1
  %few = icmp ult i32 %n2, 200
  %on = and i1 %moves, %few
  br i1 %on, label %each, label %done
done:
  ret double %x2
}""")

_LIMITS = {
    "gamma": "%root = call double @llvm.sqrt.f64(double %a)\n  %wide = fmul double %root, 1.2e1\n"
    "  %far = fadd double %wide, 4.5e1\n  %limit = fadd double %a, %far",
    "beta": "%limit = fadd double 1.0, 0.0",
}
"""What no number of the distribution exceeds."""
_GUESSES = {
    "gamma": "%guess = fadd double %a, 0.0",
    "beta": "%both = fadd double %a, %b\n  %guess = fdiv double %a, %both",
}
"""Where the search begins: at the mean."""


def _quantile_text(name: str) -> str:
    return _QUANTILE.substitute(name=name, limit=_LIMITS[name], guess=_GUESSES[name])


_COUNTS = """
; a whole number from low to high, at least 0, where k + 1 is (first + growth k) / (k + 1) times as likely as k: weights relative to
; the likeliest number, as far as they matter, added up from the smallest; only arithmetic, so that every machine finds the same
define internal double @quantile_counts(double %u, double %low, double %high, double %first, double %growth, double %unused) nounwind noinline {
entry:
  %up = call double @llvm.ceil.f64(double %low)
  %l0 = fcmp ogt double %up, 0.0
  %from = select i1 %l0, double %up, double 0.0
  %to = call double @llvm.floor.f64(double %high)
  %m0 = fsub double %first, %growth
  %m1 = fsub double 1.0, %growth
  %m2 = fdiv double %m0, %m1
  %m3 = call double @llvm.floor.f64(double %m2)
  %m4 = fcmp ogt double %m3, %from
  %m5 = select i1 %m4, double %m3, double %from
  %m6 = fcmp olt double %m5, %to
  %mode = select i1 %m6, double %m5, double %to
  br label %down
down:
  %k = phi double [ %mode, %entry ], [ %k2, %lower ]
  %w = phi double [ 1.0, %entry ], [ %w2, %lower ]
  %t = phi double [ 1.0, %entry ], [ %t2, %lower ]
  %i = phi i32 [ 0, %entry ], [ %i2, %lower ]
  %k_more = fcmp ogt double %k, %from
  %w_least = fmul double %t, 1.0e-18
  %w_more = fcmp oge double %w, %w_least
  %i_more = icmp ult i32 %i, 100000
  %c0 = and i1 %k_more, %w_more
  %c1 = and i1 %c0, %i_more
  br i1 %c1, label %lower, label %turn
lower:
  %k2 = fsub double %k, 1.0
  %gk = fmul double %growth, %k2
  %fk = fadd double %first, %gk
  %rk = fdiv double %k, %fk
  %w2 = fmul double %w, %rk
  %t2 = fadd double %t, %w2
  %i2 = add i32 %i, 1
  br label %down
turn:
  br label %rise
rise:
  %p = phi double [ %mode, %turn ], [ %p2, %higher ]
  %v = phi double [ 1.0, %turn ], [ %v2, %higher ]
  %s = phi double [ %t, %turn ], [ %s2, %higher ]
  %j = phi i32 [ 0, %turn ], [ %j2, %higher ]
  %p_more = fcmp olt double %p, %to
  %v_least = fmul double %s, 1.0e-18
  %v_more = fcmp oge double %v, %v_least
  %j_more = icmp ult i32 %j, 100000
  %c2 = and i1 %p_more, %v_more
  %c3 = and i1 %c2, %j_more
  br i1 %c3, label %higher, label %count
higher:
  %gp = fmul double %growth, %p
  %fp = fadd double %first, %gp
  %p2 = fadd double %p, 1.0
  %rp = fdiv double %fp, %p2
  %v2 = fmul double %v, %rp
  %s2 = fadd double %s, %v2
  %j2 = add i32 %j, 1
  br label %rise
count:
  %wanted = fmul double %u, %s
  br label %sum
sum:
  %q = phi double [ %k, %count ], [ %q2, %next ]
  %x = phi double [ %w, %count ], [ %x2, %next ]
  %y = phi double [ %w, %count ], [ %y2, %next ]
  %short = fcmp olt double %y, %wanted
  %q_more = fcmp olt double %q, %p
  %c4 = and i1 %short, %q_more
  br i1 %c4, label %next, label %done
next:
  %gq = fmul double %growth, %q
  %fq = fadd double %first, %gq
  %q2 = fadd double %q, 1.0
  %rq = fdiv double %fq, %q2
  %x2 = fmul double %x, %rq
  %y2 = fadd double %y, %x2
  br label %sum
done:
  ret double %q
}"""
