"""The integrators as assembly: stocks advance, steps of Runge-Kutta, and steps in parts until they are exact enough."""

from __future__ import annotations

from string import Template

STOCKS = Template("""
; stocks := base + factor * rates, for the free or the held stocks; returns whether one is not finite: x - x is nan, and else the zero without bits
define internal $B @advance_$which(ptr noalias %ws, i64 %from, double %factor) nounwind {
entry:
  $spread_factor
  %empty = icmp uge i64 $first, $last
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ $first, %entry ], [ %i2, %each ]
  %odd = phi $I [ $no_bits, %entry ], [ %odd2, %each ]
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
  %bits = bitcast $T %z to $I
  %odd2 = or $I %odd, %bits
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $last
  br i1 %more, label %each, label %done
done:
  %found = phi $I [ $no_bits, %entry ], [ %odd2, %each ]
  %result = icmp ne $I %found, $no_bits
  ret $B %result
}

; copies the rows of the free or the held stocks from one place to another
define internal void @copy_$which(ptr noalias %ws, i64 %from, i64 %to) nounwind {
entry:
  %empty = icmp uge i64 $first, $last
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ $first, %entry ], [ %i2, %each ]
  %at = mul i64 %i, $W
  %off_f = add i64 %at, %from
  %pf = getelementptr inbounds double, ptr %ws, i64 %off_f
  %off_t = add i64 %at, %to
  %pt = getelementptr inbounds double, ptr %ws, i64 %off_t
  %value = load $T, ptr %pf, align $A
  store $T %value, ptr %pt, align $A
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $last
  br i1 %more, label %each, label %done
done:
  ret void
}
""")

DIRECT = Template("""
; a step of Euler of the free stocks: with their rates, and those whose rates are not known yet; returns whether one is not finite
define internal $B @euler(ptr noalias %ws, double %t, double %h, ptr noalias %places) nounwind {
  %odd = getelementptr inbounds double, ptr %ws, i64 $odd
  store $T $zero, ptr %odd, align $A
  call void @advance_direct(ptr %ws, double %t, double %t, double %h, ptr %places)
  %bad_apart = call $B @advance_apart(ptr %ws, i64 0, double %h)
  %found = load $T, ptr %odd, align $A
  %bits = bitcast $T %found to $I
  %bad_direct = icmp ne $I %bits, $no_bits
  %bad = or $B %bad_apart, %bad_direct
  ret $B %bad
}
""")

NOT_DIRECT = Template("""
define internal $B @euler(ptr noalias %ws, double %t, double %h, ptr noalias %places) nounwind {
  %bad = call $B @advance_free(ptr %ws, i64 0, double %h)
  ret $B %bad
}
""")

STEP = Template("""
; sums := old + weight * rates, for the stocks that are not held, where old is the rates' own row when weight is 1 (the first stage of Runge-Kutta)
define internal void @gather(ptr noalias %ws, double %weight, i1 %first) nounwind {
entry:
  $spread_weight
  %empty = icmp eq i64 $free, 0
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
  %more = icmp ult i64 %i2, $free
  br i1 %more, label %each, label %done
done:
  ret void
}

; one step of Runge-Kutta, of order 2 (the midpoint rule) or 4, with the rates at its beginning known; held stocks stay
; %tm and %te are its middle and end, %s and %h the beginning and length of the time step that it belongs to
define internal $B @runge_kutta(ptr noalias %ws, i64 %order, double %length, double %tm, double %te, double %s, double %h, ptr noalias %places) nounwind {
entry:
  %half = fmul double %length, 5.0e-1
  call void @gather(ptr %ws, double 1.0, i1 true)
  call void @copy_free(ptr %ws, i64 0, i64 $base)
  %b1 = call $B @advance_free(ptr %ws, i64 $base, double %half)
  call void @step(ptr %ws, double %tm, double %s, double %h, ptr %places)
  call void @rates(ptr %ws, double %tm, double %s, double %h, ptr %places)
  %second = icmp eq i64 %order, 2
  br i1 %second, label %last, label %fourth
fourth:
  %sixth = fdiv double %length, 6.0
  call void @gather(ptr %ws, double 2.0, i1 false)
  %b2 = call $B @advance_free(ptr %ws, i64 $base, double %half)
  call void @step(ptr %ws, double %tm, double %s, double %h, ptr %places)
  call void @rates(ptr %ws, double %tm, double %s, double %h, ptr %places)
  call void @gather(ptr %ws, double 2.0, i1 false)
  %b3 = call $B @advance_free(ptr %ws, i64 $base, double %length)
  call void @step(ptr %ws, double %te, double %s, double %h, ptr %places)
  call void @rates(ptr %ws, double %te, double %s, double %h, ptr %places)
  call void @gather(ptr %ws, double 1.0, i1 false)
  call void @copy_free(ptr %ws, i64 $sums, i64 $rates)
  br label %last
last:
  %factor = phi double [ %length, %entry ], [ %sixth, %fourth ]
  %bad = call $B @advance_free(ptr %ws, i64 $base, double %factor)
  ret $B %bad
}
""")

ADAPTIVE = Template("""
; takes the stocks as the result of a time step where the one before, with steps twice as long, was not accepted (%open);
; returns where the two differ by more than both tolerances, and where a result is not finite
define internal { $B, $B } @judge(ptr noalias %ws, $B %open, double %absolute, double %relative) nounwind {
entry:
  $spread_absolute
  $spread_relative
  %empty = icmp eq i64 $free, 0
  br i1 %empty, label %done, label %each
each:
  %i = phi i64 [ 0, %entry ], [ %i2, %each ]
  %apart = phi $B [ $false, %entry ], [ %apart2, %each ]
  %b = phi $B [ $false, %entry ], [ %b2, %each ]
  %at = mul i64 %i, $W
  %ps = getelementptr inbounds double, ptr %ws, i64 %at
  %off_o = add i64 %at, $origin
  %po = getelementptr inbounds double, ptr %ws, i64 %off_o
  %off_l = add i64 %at, $accepted
  %pl = getelementptr inbounds double, ptr %ws, i64 %off_l
  %new = load $T, ptr %ps, align $A
  %origin = load $T, ptr %po, align $A
  %old = load $T, ptr %pl, align $A
  %result = select $B %open, $T %new, $T %old
  store $T %result, ptr %ps, align $A
  store $T %result, ptr %pl, align $A
  %change = fsub $T %new, %old
  %error = call $T @m_fabs($T %change)
  %size = call $T @m_fabs($T %origin)
  %share = fmul $T %relatives, %size
  %less = fcmp olt $T %share, %absolutes
  %tolerated = select $B %less, $T %absolutes, $T %share
  %far = fcmp ogt $T %error, %tolerated
  %apart2 = or $B %apart, %far
  %z = fsub $T %result, %result
  %odd = fcmp uno $T %z, $zero
  %b2 = or $B %b, %odd
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $free
  br i1 %more, label %each, label %done
done:
  %all_apart = phi $B [ $false, %entry ], [ %apart2, %each ]
  %bad = phi $B [ $false, %entry ], [ %b2, %each ]
  %still = and $B %open, %all_apart
  %pair = insertvalue { $B, $B } poison, $B %still, 0
  %both = insertvalue { $B, $B } %pair, $B %bad, 1
  ret { $B, $B } %both
}

; a time step of Runge-Kutta in 1, 2, 4 ... equal parts, until halving them no longer moves a stock by more than both tolerances
; each member takes the first result that is close enough, so that its numbers do not depend on the members beside it
define internal { $B, $B } @adapt(ptr noalias %ws, i64 %order, double %s, double %h, double %absolute, double %relative, ptr noalias %places) nounwind {
entry:
  call void @copy_free(ptr %ws, i64 0, i64 $origin)
  br label %attempt
attempt:
  %parts = phi i64 [ 1, %entry ], [ %parts2, %again ]
  %open = phi $B [ $true, %entry ], [ %open2, %again ]
  %parts_real = sitofp i64 %parts to double
  %length = fdiv double %h, %parts_real
  call void @copy_free(ptr %ws, i64 $origin, i64 0)
  br label %part
part:
  %j = phi i64 [ 0, %attempt ], [ %j2, %part ]
  %j_real = sitofp i64 %j to double
  %since = fmul double %j_real, %length
  %tb = fadd double %s, %since
  %to_middle = fmul double %length, 5.0e-1
  %tm = fadd double %tb, %to_middle
  %te = fadd double %tb, %length
  call void @step(ptr %ws, double %tb, double %s, double %h, ptr %places)
  call void @rates(ptr %ws, double %tb, double %s, double %h, ptr %places)
  %b = call $B @runge_kutta(ptr %ws, i64 %order, double %length, double %tm, double %te, double %s, double %h, ptr %places)
  %j2 = add i64 %j, 1
  %j_more = icmp ult i64 %j2, %parts
  br i1 %j_more, label %part, label %compare
compare:
  %found = call { $B, $B } @judge(ptr %ws, $B %open, double %absolute, double %relative)
  %still = extractvalue { $B, $B } %found, 0
  %bad = extractvalue { $B, $B } %found, 1
  %single = icmp eq i64 %parts, 1
  %open2 = select i1 %single, $B $true, $B %still
  %bits = bitcast $B %open2 to i$W
  %some = icmp ne i$W %bits, 0
  %can = icmp ult i64 %parts, $most_parts
  %go_on = and i1 %some, %can
  br i1 %go_on, label %again, label %finish
again:
  %parts2 = shl i64 %parts, 1
  br label %attempt
finish:
  %pair = insertvalue { $B, $B } poison, $B %open2, 0
  %both = insertvalue { $B, $B } %pair, $B %bad, 1
  ret { $B, $B } %both
}
""")

NOT_ADAPTIVE = Template("""
define internal { $B, $B } @adapt(ptr %ws, i64 %order, double %s, double %h, double %absolute, double %relative, ptr noalias %places) nounwind {
  unreachable
}
""")
