"""The loops around a model: over blocks of members, over time steps, over the stages of an integrator.

They are the same for every model, so they stand here as text with the sizes filled in. `run` is the one function that is called
from outside; its arguments are those of `sdmodel.program.Arguments`.
"""

from __future__ import annotations

from string import Template

from .ir import Function, numbers, splat
from .layout import Layout
from .memory import memory_text

_LOOPS = Template(
    """
; stocks := base + factor * rates, for every stock; tells whether one is not finite
define internal $B @advance(ptr noalias %ws, i64 %from, double %factor) nounwind {
entry:
  $spread_factor
  %empty = icmp eq i64 $stocks, 0
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ 0, %entry ], [ %i2, %each ]
  %b = phi $B [ $false, %entry ], [ %b2, %each ]
  %at = mul i64 %i, $W
  %ps = getelementptr inbounds double, ptr %ws, i64 %at
  %off_r = add i64 %at, $rates
  %pr = getelementptr inbounds double, ptr %ws, i64 %off_r
  %off_b = add i64 %at, %from
  %pb = getelementptr inbounds double, ptr %ws, i64 %off_b
  %base = load $T, ptr %pb, align $A
  %rate = load $T, ptr %pr, align $A
  %change = fmul $T %factors, %rate
  %stock = fadd $T %base, %change
  store $T %stock, ptr %ps, align $A
  %z = fsub $T %stock, %stock
  %odd = fcmp uno $T %z, $zero
  %b2 = or $B %b, %odd
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $stocks
  br i1 %more, label %each, label %done
done:
  %result = phi $B [ $false, %entry ], [ %b2, %each ]
  ret $B %result
}

; sums := old + weight * rates, where old is the rates' own row when weight is 1 (the first stage of Runge-Kutta)
define internal void @gather(ptr noalias %ws, double %weight, i1 %first) nounwind {
entry:
  $spread_weight
  %empty = icmp eq i64 $stocks, 0
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ 0, %entry ], [ %i2, %each ]
  %at = mul i64 %i, $W
  %off_r = add i64 %at, $rates
  %pr = getelementptr inbounds double, ptr %ws, i64 %off_r
  %off_s = add i64 %at, $sums
  %psum = getelementptr inbounds double, ptr %ws, i64 %off_s
  %rate = load $T, ptr %pr, align $A
  %old = load $T, ptr %psum, align $A
  %part = fmul $T %weights, %rate
  %new = fadd $T %old, %part
  %sum = select i1 %first, $T %rate, $T %new
  store $T %sum, ptr %psum, align $A
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $stocks
  br i1 %more, label %each, label %done
done:
  ret void
}

; copies the rows of all stocks from one place to another
define internal void @copy(ptr noalias %ws, i64 %from, i64 %to) nounwind {
entry:
  %empty = icmp eq i64 $stocks, 0
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ 0, %entry ], [ %i2, %each ]
  %at = mul i64 %i, $W
  %off_f = add i64 %at, %from
  %pf = getelementptr inbounds double, ptr %ws, i64 %off_f
  %off_t = add i64 %at, %to
  %pt = getelementptr inbounds double, ptr %ws, i64 %off_t
  %value = load $T, ptr %pf, align $A
  store $T %value, ptr %pt, align $A
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $stocks
  br i1 %more, label %each, label %done
done:
  ret void
}
"""
)

_RUN = Template(
    """
define i64 @run(ptr noalias %ws, ptr noalias %given, i64 %varied, ptr noalias %rows, ptr noalias %values, i64 %value_stride,
                ptr noalias %out, i64 %out_stride, i64 %saved, ptr noalias %saved_rows, ptr noalias %times, i64 %steps,
                i64 %every, double %h, i64 %rk4, i64 %first, i64 %last, ptr noalias %history, ptr noalias %broken) nounwind {
entry:
  %half = fmul double %h, 5.0e-1
  %sixth = fdiv double %h, 6.0
  br label %blocks
blocks:
  %block = phi i64 [ %first, %entry ], [ %block2, %block_done ]
  %block_more = icmp slt i64 %block, %last
  br i1 %block_more, label %constants, label %finished
finished:
  ret i64 0
; the constants of the model, then those that differ between members
constants:
  %member = mul i64 %block, $W
  br label %constant
constant:
  %c = phi i64 [ 0, %constants ], [ %c2, %constant_put ]
  %c_more = icmp ult i64 %c, $inputs
  br i1 %c_more, label %constant_put, label %variation
constant_put:
  %pc = getelementptr inbounds double, ptr %given, i64 %c
  %c_one = load double, ptr %pc
  $spread_constant
  %c_row = add i64 %c, $first_input
  %c_at = mul i64 %c_row, $W
  %pcw = getelementptr inbounds double, ptr %ws, i64 %c_at
  store $T %c_all, ptr %pcw, align $A
  %c2 = add i64 %c, 1
  br label %constant
variation:
  %v = phi i64 [ 0, %constant ], [ %v2, %variation_put ]
  %v_more = icmp ult i64 %v, %varied
  br i1 %v_more, label %variation_put, label %begin
variation_put:
  %v_line = mul i64 %v, %value_stride
  %v_at = add i64 %v_line, %member
  %pv = getelementptr inbounds double, ptr %values, i64 %v_at
  %v_all = load $T, ptr %pv, align 8
  %pvr = getelementptr inbounds i64, ptr %rows, i64 %v
  %v_row = load i64, ptr %pvr
  %v_to = mul i64 %v_row, $W
  %pvw = getelementptr inbounds double, ptr %ws, i64 %v_to
  store $T %v_all, ptr %pvw, align $A
  %v2 = add i64 %v, 1
  br label %variation
begin:
  %t_begin = load double, ptr %times
  call void @start(ptr %ws, double %t_begin, double %t_begin, double %h)

  br label %stepping
stepping:
  %k = phi i64 [ 0, %begin ], [ %k2, %stepped ]
  %line = phi i64 [ 0, %begin ], [ %line2, %stepped ]
  %bad = phi $B [ $false, %begin ], [ %bad2, %stepped ]
  %since = phi $T [ $never, %begin ], [ %since2, %stepped ]
  %k_real = sitofp i64 %k to double
  $spread_k
  %is_new = fcmp oeq $T %since, $never
  %found = and $B %bad, %is_new
  %since2 = select $B %found, $T %k_all, $T %since
  %k_twice = shl i64 %k, 1
  %pt = getelementptr inbounds double, ptr %times, i64 %k_twice
  %t = load double, ptr %pt
  call void @recall(ptr %ws, ptr %history, i64 %k)
  call void @step(ptr %ws, double %t, double %t, double %h)
  %off = urem i64 %k, %every
  %save_now = icmp eq i64 %off, 0
  br i1 %save_now, label %saving, label %saved_all
saving:
  %o_line = mul i64 %line, %saved
  br label %save
save:
  %o = phi i64 [ 0, %saving ], [ %o2, %save_put ]
  %o_more = icmp ult i64 %o, %saved
  br i1 %o_more, label %save_put, label %saved_line
save_put:
  %por = getelementptr inbounds i64, ptr %saved_rows, i64 %o
  %o_row = load i64, ptr %por
  %o_from = mul i64 %o_row, $W
  %pof = getelementptr inbounds double, ptr %ws, i64 %o_from
  %o_all = load $T, ptr %pof, align $A
  %o_index = add i64 %o_line, %o
  %o_at = mul i64 %o_index, %out_stride
  %o_to = add i64 %o_at, %member
  %po = getelementptr inbounds double, ptr %out, i64 %o_to
  store $T %o_all, ptr %po, align 8
  %o2 = add i64 %o, 1
  br label %save
saved_line:
  %line_next = add i64 %line, 1
  br label %saved_all
saved_all:
  %line2 = phi i64 [ %line, %stepping ], [ %line_next, %saved_line ]
  %k_more = icmp ult i64 %k, %steps
  br i1 %k_more, label %integrate, label %block_done
integrate:
  call void @remember(ptr %ws, ptr %history, i64 %k)
  %slow = icmp ne i64 %rk4, 0
  br i1 %slow, label %runge_kutta, label %euler
euler:
  %bad_e = call $B @advance(ptr %ws, i64 0, double %h)
  br label %stepped
runge_kutta:
  %k_mid = or i64 %k_twice, 1
  %ptm = getelementptr inbounds double, ptr %times, i64 %k_mid
  %tm = load double, ptr %ptm
  %k_end = add i64 %k_twice, 2
  %pte = getelementptr inbounds double, ptr %times, i64 %k_end
  %te = load double, ptr %pte
  call void @gather(ptr %ws, double 1.0, i1 true)
  call void @copy(ptr %ws, i64 0, i64 $base)
  %b1 = call $B @advance(ptr %ws, i64 $base, double %half)
  call void @step(ptr %ws, double %tm, double %t, double %h)
  call void @gather(ptr %ws, double 2.0, i1 false)
  %b2 = call $B @advance(ptr %ws, i64 $base, double %half)
  call void @step(ptr %ws, double %tm, double %t, double %h)
  call void @gather(ptr %ws, double 2.0, i1 false)
  %b3 = call $B @advance(ptr %ws, i64 $base, double %h)
  call void @step(ptr %ws, double %te, double %t, double %h)
  call void @gather(ptr %ws, double 1.0, i1 false)
  call void @copy(ptr %ws, i64 $sums, i64 $rates)
  %bad_r = call $B @advance(ptr %ws, i64 $base, double %sixth)
  br label %stepped
stepped:
  %bad2 = phi $B [ %bad_e, %euler ], [ %bad_r, %runge_kutta ]
  %k2 = add i64 %k, 1
  br label %stepping
block_done:
  %pb = getelementptr inbounds double, ptr %broken, i64 %member
  store $T %since2, ptr %pb, align 8
  %block2 = add i64 %block, 1
  br label %blocks
}
"""
)

NEVER = -1.0
"""What stands in `broken` for a member whose stocks stay finite."""


def driver_text(layout: Layout, width: int) -> str:
    """The loops around `@start` and `@step` for blocks of `width` members."""
    sizes = {
        "T": numbers(width),
        "B": Function(width).truth,
        "W": width,
        "A": 8 * width,
        "zero": splat(0.0, width),
        "false": "false" if width == 1 else "zeroinitializer",
        "never": splat(NEVER, width),
        "stocks": layout.stocks,
        "rates": layout.stocks * width,
        "base": 2 * layout.stocks * width,
        "sums": 3 * layout.stocks * width,
        "inputs": len(layout.inputs),
        "first_input": layout.first_input,
        "spread_factor": _spread("factors", "%factor", width),
        "spread_weight": _spread("weights", "%weight", width),
        "spread_constant": _spread("c_all", "%c_one", width),
        "spread_k": _spread("k_all", "%k_real", width),
    }
    loops = _LOOPS.substitute(sizes)
    return "\n".join([loops, _RUN.substitute(sizes), memory_text(layout, width)])


def _spread(name: str, scalar: str, width: int) -> str:
    """One number for every member, under a given name."""
    if width == 1:
        return f"%{name} = fadd double {scalar}, {splat(-0.0, 1)}"
    wide = numbers(width)
    return (
        f"%{name}_1 = insertelement {wide} poison, double {scalar}, i64 0\n"
        f"  %{name} = shufflevector {wide} %{name}_1, {wide} poison, <{width} x i32> zeroinitializer"
    )
