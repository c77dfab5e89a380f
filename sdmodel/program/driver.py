"""The loops around a model: over blocks of members, over time steps, over the stages of an integrator.

They are the same for every model, so they are text here, with the sizes filled in. `kernel` is the one function that native code is
called by. It takes the address of an `Arguments`, and passes its fields on to `blocks`.
"""

from __future__ import annotations

from itertools import accumulate, chain
from string import Template

from ..model import NOTHING_DUE
from .integrators import ADAPTIVE, DIRECT, NOT_ADAPTIVE, NOT_DIRECT, STEP, STOCKS
from .ir import Function, literal, numbers, splat
from .layout import PASSAGE_COLUMNS, Arguments, Layout

_MEMORY = Template("""
; each DELAY FIXED takes the input of its number of steps ago, where there was one
define internal void @recall(ptr noalias %ws, ptr noalias %history, i64 %k) nounwind {
entry:
  %k_real = sitofp i64 %k to double
  br label %delay
delay:
  %d = phi i64 [ 0, %entry ], [ %d2, %delay_done ]
  %d_more = icmp ult i64 %d, $delays
  br i1 %d_more, label %begin, label %done
begin:
  %p_out = getelementptr inbounds i64, ptr @delay_rows, i64 %d
  %out = load i64, ptr %p_out
  %p_steps = getelementptr inbounds i64, ptr @steps_rows, i64 %d
  %steps_at = load i64, ptr %p_steps
  %d_at = mul i64 %d, $W
  br label %lane
lane:
  %i = phi i64 [ 0, %begin ], [ %i2, %lane_done ]
  %s_at = add i64 %steps_at, %i
  %p_s = getelementptr inbounds double, ptr %ws, i64 %s_at
  %steps = load double, ptr %p_s
  %past = fsub double %k_real, %steps
  %there = fcmp oge double %past, 0.0
  br i1 %there, label %show, label %lane_done
show:
  %line = fptosi double %past to i64
  %l_at = mul i64 %line, $line
  %h_d = add i64 %l_at, %d_at
  %h_at = add i64 %h_d, %i
  %p_h = getelementptr inbounds double, ptr %history, i64 %h_at
  %value = load double, ptr %p_h
  %o_at = add i64 %out, %i
  %p_o = getelementptr inbounds double, ptr %ws, i64 %o_at
  store double %value, ptr %p_o
  br label %lane_done
lane_done:
  %i2 = add i64 %i, 1
  %i_more = icmp ult i64 %i2, $W
  br i1 %i_more, label %lane, label %delay_done
delay_done:
  %d2 = add i64 %d, 1
  br label %delay
done:
  ret void
}

; each delay whose time may change hands out what is due now: the sum of it, or the last that was put in
; the value of the start counts as due at every step until the first input is
define internal void @hand_out(ptr noalias %ws, ptr noalias %history, i64 %k) nounwind {
entry:
  %k_real = sitofp i64 %k to double
  %is_start = icmp eq i64 %k, 0
  br i1 %is_start, label %done, label %passage
passage:
  %d = phi i64 [ 0, %entry ], [ %d2, %passage_done ]
  %d_more = icmp ult i64 %d, $passages
  br i1 %d_more, label %begin, label %done
begin:
  %p_out = getelementptr inbounds i64, ptr @passage_rows, i64 %d
  %out = load i64, ptr %p_out
  %p_adds = getelementptr inbounds i64, ptr @passage_adds, i64 %d
  %adds_number = load i64, ptr %p_adds
  %adds = icmp ne i64 %adds_number, 0
  %d_columns = mul i64 %d, $passage_columns
  %column = add i64 %d_columns, $delays
  %c_at = mul i64 %column, $W
  br label %lane
lane:
  %i = phi i64 [ 0, %begin ], [ %i2, %lane_done ]
  %at_input = add i64 %c_at, %i
  %at_steps = add i64 %at_input, $W
  %at_value = add i64 %at_steps, $W
  %p_s0 = getelementptr inbounds double, ptr %history, i64 %at_steps
  %s0 = load double, ptr %p_s0
  %p_v0 = getelementptr inbounds double, ptr %history, i64 %at_value
  %v0 = load double, ptr %p_v0
  %early = fcmp olt double %k_real, %s0
  %before = select i1 %early, double %v0, double $nothing
  br label %search
search:
  %j = phi i64 [ %k, %lane ], [ %j2, %look ]
  %so_far = phi double [ %before, %lane ], [ %known, %look ]
  %j_more = icmp ugt i64 %j, 0
  br i1 %j_more, label %look, label %lane_done
look:
  %j2 = sub i64 %j, 1
  %l_at = mul i64 %j2, $line
  %h_s = add i64 %l_at, %at_steps
  %p_s = getelementptr inbounds double, ptr %history, i64 %h_s
  %s = load double, ptr %p_s
  %h_i = add i64 %l_at, %at_input
  %p_i = getelementptr inbounds double, ptr %history, i64 %h_i
  %input = load double, ptr %p_i
  %j_real = sitofp i64 %j2 to double
  %due = fadd double %j_real, %s
  %odd = fcmp uno double %due, 0.0
  %now_due = fcmp oeq double %due, %k_real
  %been_due = fcmp ole double %due, %k_real
  %counts = select i1 %adds, i1 %now_due, i1 %been_due
  %none = fcmp oeq double %so_far, $nothing
  %sum = fadd double %so_far, %input
  %joined = select i1 %none, double %input, double %sum
  %found = select i1 %adds, double %joined, double %input
  %chosen = select i1 %counts, double %found, double %so_far
  %known = select i1 %odd, double %due, double %chosen
  %last = xor i1 %adds, true
  %enough = and i1 %last, %counts
  %stop = or i1 %enough, %odd
  br i1 %stop, label %lane_done, label %search
lane_done:
  %value = phi double [ %so_far, %search ], [ %known, %look ]
  %o_at = add i64 %out, %i
  %p_o = getelementptr inbounds double, ptr %ws, i64 %o_at
  store double %value, ptr %p_o
  %i2 = add i64 %i, 1
  %i_more = icmp ult i64 %i2, $W
  br i1 %i_more, label %lane, label %passage_done
passage_done:
  %d2 = add i64 %d, 1
  br label %passage
done:
  ret void
}

; copies a row of the workspace
define internal void @copy_row(ptr %from, ptr %to) nounwind {
entry:
  br label %lane
lane:
  %i = phi i64 [ 0, %entry ], [ %i2, %lane ]
  %p_f = getelementptr inbounds double, ptr %from, i64 %i
  %p_t = getelementptr inbounds double, ptr %to, i64 %i
  %value = load double, ptr %p_f
  store double %value, ptr %p_t
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, $W
  br i1 %more, label %lane, label %done
done:
  ret void
}

; the inputs of delays go into the history, and samples are held
define internal void @remember(ptr %ws, ptr %history, i64 %k) nounwind {
entry:
  %l_at = mul i64 %k, $line
  br label %delay
delay:
  %d = phi i64 [ 0, %entry ], [ %d2, %keep ]
  %d_more = icmp ult i64 %d, $columns
  br i1 %d_more, label %keep, label %sample
keep:
  %p_in = getelementptr inbounds i64, ptr @input_rows, i64 %d
  %in = load i64, ptr %p_in
  %p_from = getelementptr inbounds double, ptr %ws, i64 %in
  %d_at = mul i64 %d, $W
  %h_at = add i64 %l_at, %d_at
  %p_to = getelementptr inbounds double, ptr %history, i64 %h_at
  call void @copy_row(ptr %p_from, ptr %p_to)
  %d2 = add i64 %d, 1
  br label %delay
sample:
  %c = phi i64 [ 0, %delay ], [ %c2, %hold ]
  %c_more = icmp ult i64 %c, $samples
  br i1 %c_more, label %hold, label %done
hold:
  %p_sample = getelementptr inbounds i64, ptr @sample_rows, i64 %c
  %sample_at = load i64, ptr %p_sample
  %p_shown = getelementptr inbounds double, ptr %ws, i64 %sample_at
  %p_held = getelementptr inbounds i64, ptr @held_rows, i64 %c
  %held_at = load i64, ptr %p_held
  %p_kept = getelementptr inbounds double, ptr %ws, i64 %held_at
  call void @copy_row(ptr %p_shown, ptr %p_kept)
  %c2 = add i64 %c, 1
  br label %sample
done:
  ret void
}
""")

_SHIFTS = Template("""
; a step in which stocks may move: what each SHIFT IF TRUE reads is computed, the stocks move where it is true, and all is computed again
define internal void @moving_step(ptr noalias %ws, i1 %may, double %t, double %h, ptr noalias %places) nounwind {
entry:
  br i1 %may, label %clear, label %computed
clear:
  %c = phi i64 [ 0, %entry ], [ %c2, %clear_one ]
  %c_more = icmp ult i64 %c, $shifts
  br i1 %c_more, label %clear_one, label %computed
clear_one:
  %p_clear = getelementptr inbounds i64, ptr @shift_rows, i64 %c
  %clear_row = load i64, ptr %p_clear
  %p_row = getelementptr inbounds double, ptr %ws, i64 %clear_row
  store $T $zero, ptr %p_row, align $A
  %c2 = add i64 %c, 1
  br label %clear
computed:
  call void @step(ptr %ws, double %t, double %t, double %h, ptr %places)
  br i1 %may, label %shift, label %done
shift:
  %d = phi i64 [ 0, %computed ], [ %d2, %shift_done ]
  %moved = phi i1 [ false, %computed ], [ %moved2, %shift_done ]
  %d_more = icmp ult i64 %d, $shifts
  br i1 %d_more, label %begin, label %again
begin:
  %p_out = getelementptr inbounds i64, ptr @shift_rows, i64 %d
  %out = load i64, ptr %p_out
  %p_in = getelementptr inbounds i64, ptr @shift_inputs, i64 %d
  %in = load i64, ptr %p_in
  %p_first = getelementptr inbounds i64, ptr @shift_firsts, i64 %d
  %first = load i64, ptr %p_first
  %d2 = add i64 %d, 1
  %p_next = getelementptr inbounds i64, ptr @shift_firsts, i64 %d2
  %next = load i64, ptr %p_next
  %last = sub i64 %next, 1
  br label %lane
lane:
  %i = phi i64 [ 0, %begin ], [ %i2, %lane_done ]
  %lane_moved = phi i1 [ %moved, %begin ], [ %lane_moved2, %lane_done ]
  %in_at = add i64 %in, %i
  %p_condition = getelementptr inbounds double, ptr %ws, i64 %in_at
  %condition = load double, ptr %p_condition
  %out_at = add i64 %out, %i
  %p_result = getelementptr inbounds double, ptr %ws, i64 %out_at
  %odd = fcmp uno double %condition, 0.0
  br i1 %odd, label %unclear, label %clear_condition
; a condition that is not a number decides nothing
unclear:
  store double %condition, ptr %p_result
  br label %lane_done
clear_condition:
  %true = fcmp one double %condition, 0.0
  br i1 %true, label %move, label %lane_done
move:
  %accumulates_at = add i64 %in_at, $W
  %p_accumulates = getelementptr inbounds double, ptr %ws, i64 %accumulates_at
  %accumulates_number = load double, ptr %p_accumulates
  %accumulates = fcmp one double %accumulates_number, 0.0
  %entering_at = add i64 %accumulates_at, $W
  %p_entering = getelementptr inbounds double, ptr %ws, i64 %entering_at
  %entering = load double, ptr %p_entering
  %p_last = getelementptr inbounds i64, ptr @shift_cells, i64 %last
  %last_row = load i64, ptr %p_last
  %last_at = add i64 %last_row, %i
  %p_last_value = getelementptr inbounds double, ptr %ws, i64 %last_at
  %last_value = load double, ptr %p_last_value
  br label %each
each:
  %j = phi i64 [ %last, %move ], [ %j2, %take ]
  %p_here = getelementptr inbounds i64, ptr @shift_cells, i64 %j
  %here_row = load i64, ptr %p_here
  %here_at = add i64 %here_row, %i
  %p_here_value = getelementptr inbounds double, ptr %ws, i64 %here_at
  %j_more = icmp ugt i64 %j, %first
  br i1 %j_more, label %take, label %enter
take:
  %j2 = sub i64 %j, 1
  %p_before = getelementptr inbounds i64, ptr @shift_cells, i64 %j2
  %before_row = load i64, ptr %p_before
  %before_at = add i64 %before_row, %i
  %p_before_value = getelementptr inbounds double, ptr %ws, i64 %before_at
  %before_value = load double, ptr %p_before_value
  store double %before_value, ptr %p_here_value
  br label %each
enter:
  store double %entering, ptr %p_here_value
  %removed = select i1 %accumulates, double 0.0, double %last_value
  store double %removed, ptr %p_result
  br i1 %accumulates, label %keep, label %lane_done
keep:
  %last_new = load double, ptr %p_last_value
  %together = fadd double %last_new, %last_value
  store double %together, ptr %p_last_value
  br label %lane_done
lane_done:
  %lane_moved2 = phi i1 [ true, %unclear ], [ %lane_moved, %clear_condition ], [ true, %enter ], [ true, %keep ]
  %i2 = add i64 %i, 1
  %i_more = icmp ult i64 %i2, $W
  br i1 %i_more, label %lane, label %shift_done
shift_done:
  %moved2 = phi i1 [ %lane_moved2, %lane_done ]
  br label %shift
again:
  br i1 %moved, label %compute, label %done
compute:
  call void @step(ptr %ws, double %t, double %t, double %h, ptr %places)
  br label %done
done:
  ret void
}
""")
_MOVING_STEP = """%is_first = icmp eq i64 %k, %first_step
  %fresh_or_later = xor i1 %is_first, true
  %may_move = or i1 %fresh, %fresh_or_later
  call void @moving_step(ptr %workspace, i1 %may_move, double %t, double %h, ptr %places)"""
_PLAIN_STEP = "call void @step(ptr %workspace, double %t, double %t, double %h, ptr %places)"
"""A step that goes on from a state is computed as it was then, so its stocks have moved already."""

_FETCH_NEXT = """%o_ahead = mul i64 %saved, %result_stride
  %p_ahead = getelementptr double, ptr %po, i64 %o_ahead
  call void @llvm.prefetch.p0(ptr %p_ahead, i32 1, i32 3, i32 1)"""
"""Where the next saved time goes is fetched beforehand: each is far from the last, and stores wait in turn for memory."""

_RUN = Template("""
define internal void @blocks($parameters) nounwind noinline {
entry:
  %places = alloca [$places x double], align 8
  br label %forget
; a lookup that remembers nan searches
forget:
  %place = phi i64 [ 0, %entry ], [ %place2, %forgotten ]
  %place_more = icmp ult i64 %place, $places
  br i1 %place_more, label %forgotten, label %blocks
forgotten:
  %p_place = getelementptr inbounds double, ptr %places, i64 %place
  store double 0x7FF8000000000000, ptr %p_place
  %place2 = add i64 %place, 1
  br label %forget
blocks:
  %block = phi i64 [ %first, %forget ], [ %block2, %block_done ]
  %block_more = icmp slt i64 %block, %last
  br i1 %block_more, label %opening, label %finished
finished:
  ret void
; where the run goes on from a state, what it knows there
opening:
  %fresh = icmp eq ptr %state, null
  br i1 %fresh, label %constants, label %restore
restore:
  %r = phi i64 [ 0, %opening ], [ %r2, %restore ]
  %r_at = mul i64 %r, $W
  %pr_from = getelementptr inbounds double, ptr %state, i64 %r_at
  %pr_to = getelementptr inbounds double, ptr %workspace, i64 %r_at
  %r_all = load $T, ptr %pr_from, align 8
  store $T %r_all, ptr %pr_to, align $A
  %r2 = add i64 %r, 1
  %r_more = icmp ult i64 %r2, $rows
  br i1 %r_more, label %restore, label %constants
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
  %pcw = getelementptr inbounds double, ptr %workspace, i64 %c_at
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
  %pv = getelementptr inbounds double, ptr %varied_values, i64 %v_at
  %v_all = load $T, ptr %pv, align 8
  %pvr = getelementptr inbounds i64, ptr %varied_rows, i64 %v
  %v_row = load i64, ptr %pvr
  %v_to = mul i64 %v_row, $W
  %pvw = getelementptr inbounds double, ptr %workspace, i64 %v_to
  store $T %v_all, ptr %pvw, align $A
  %v2 = add i64 %v, 1
  br label %variation
begin:
  %first_real = sitofp i64 %first_step to double
  $note_first
  %first_twice = shl i64 %first_step, 1
  %pt_begin = getelementptr inbounds double, ptr %times, i64 %first_twice
  %t_begin = load double, ptr %pt_begin
  br i1 %fresh, label %at_start, label %at_state
at_start:
  call void @start(ptr %workspace, double %t_begin, double %t_begin, double %time_step, ptr %places)
  br label %ready
; what depends on constants alone, which may differ from those before
at_state:
  call void @update(ptr %workspace, double %t_begin, double %t_begin, double %time_step, ptr %places)
  br label %ready
ready:
  br label %stepping
stepping:
  %k = phi i64 [ %first_step, %ready ], [ %k2, %stepped ]
  %line = phi i64 [ %first_line, %ready ], [ %line2, %stepped ]
  %bad = phi $B [ $false, %ready ], [ %bad2, %stepped ]
  %coarse = phi $B [ $false, %ready ], [ %coarse2, %stepped ]
  %rough = phi $T [ $never, %ready ], [ %rough2, %stepped ]
  %since = phi $T [ $never, %ready ], [ %since2, %stepped ]
  %k_real = sitofp i64 %k to double
  $spread_k
  %is_new = fcmp oeq $T %since, $never
  %found = and $B %bad, %is_new
  %since2 = select $B %found, $T %k_all, $T %since
  %is_fine = fcmp oeq $T %rough, $never
  %found_rough = and $B %coarse, %is_fine
  %rough2 = select $B %found_rough, $T %k_all, $T %rough
  %k_twice = shl i64 %k, 1
  %pt = getelementptr inbounds double, ptr %times, i64 %k_twice
  %t = load double, ptr %pt
  %uniform = icmp eq ptr %lengths, null
  br i1 %uniform, label %stepping_by, label %measure
measure:
  %p_length = getelementptr inbounds double, ptr %lengths, i64 %k
  %length = load double, ptr %p_length
  br label %stepping_by
stepping_by:
  %h = phi double [ %time_step, %stepping ], [ %length, %measure ]
  $note_step
  call void @recall(ptr %workspace, ptr %history, i64 %k)
  call void @hand_out(ptr %workspace, ptr %history, i64 %k)
  $step
  %line_real = sitofp i64 %line to double
  %due_real = fmul double %line_real, %every
  %due_near = fadd double %due_real, 5.0e-1
  %due = fptosi double %due_near to i64
  %save_now = icmp eq i64 %due, %k
  br i1 %save_now, label %saving, label %saved_all
saving:
  %line_here = sub i64 %line, %first_line
  %o_line = mul i64 %line_here, %saved
  br label %save
save:
  %o = phi i64 [ 0, %saving ], [ %o2, %save_put ]
  %o_more = icmp ult i64 %o, %saved
  br i1 %o_more, label %save_put, label %saved_line
save_put:
  %por = getelementptr inbounds i64, ptr %saved_rows, i64 %o
  %o_row = load i64, ptr %por
  %o_from = mul i64 %o_row, $W
  %pof = getelementptr inbounds double, ptr %workspace, i64 %o_from
  %o_all = load $T, ptr %pof, align $A
  %o_index = add i64 %o_line, %o
  %o_at = mul i64 %o_index, %result_stride
  %o_to = add i64 %o_at, %member
  %po = getelementptr inbounds double, ptr %results, i64 %o_to
  store $T %o_all, ptr %po, align 8
  $fetch_next
  %o2 = add i64 %o, 1
  br label %save
saved_line:
  %line_next = add i64 %line, 1
  br label %saved_all
saved_all:
  %line2 = phi i64 [ %line, %stepping_by ], [ %line_next, %saved_line ]
  %k_more = icmp ult i64 %k, %steps
  br i1 %k_more, label %integrate, label %block_done
integrate:
  call void @remember(ptr %workspace, ptr %history, i64 %k)
  %at_once = icmp eq i64 %order, 1
  br i1 %at_once, label %euler, label %hold
euler:
  %bad_ef = call $B @euler(ptr %workspace, double %t, double %h, ptr %places)
  %bad_eh = call $B @advance_held(ptr %workspace, i64 0, double %h)
  %bad_e = or $B %bad_ef, %bad_eh
  br label %stepped
; held stocks move by their rates at the beginning of the step, after it
hold:
  call void @copy_held(ptr %workspace, i64 $rates, i64 $base)
  %is_adaptive = icmp ne i64 %adaptive, 0
  br i1 %is_adaptive, label %adapted, label %runge_kutta
runge_kutta:
  %k_mid = or i64 %k_twice, 1
  %ptm = getelementptr inbounds double, ptr %times, i64 %k_mid
  %tm = load double, ptr %ptm
  %k_end = add i64 %k_twice, 2
  %pte = getelementptr inbounds double, ptr %times, i64 %k_end
  %te = load double, ptr %pte
  call void @rates(ptr %workspace, double %t, double %t, double %h, ptr %places)
  %bad_r = call $B @runge_kutta(ptr %workspace, i64 %order, double %h, double %tm, double %te, double %t, double %h, ptr %places)
  br label %release
adapted:
  %result_a = call { $B, $B } @adapt(ptr %workspace, i64 %order, double %t, double %h, double %absolute, double %relative, ptr %places)
  %coarse_a = extractvalue { $B, $B } %result_a, 0
  %bad_a = extractvalue { $B, $B } %result_a, 1
  br label %release
release:
  %bad_f = phi $B [ %bad_r, %runge_kutta ], [ %bad_a, %adapted ]
  %coarse_f = phi $B [ $false, %runge_kutta ], [ %coarse_a, %adapted ]
  call void @copy_held(ptr %workspace, i64 $base, i64 $rates)
  %bad_h = call $B @advance_held(ptr %workspace, i64 0, double %h)
  %bad_s = or $B %bad_f, %bad_h
  br label %stepped
stepped:
  %bad2 = phi $B [ %bad_e, %euler ], [ %bad_s, %release ]
  %coarse2 = phi $B [ $false, %euler ], [ %coarse_f, %release ]
  %k2 = add i64 %k, 1
  br label %stepping
block_done:
  %pb = getelementptr inbounds double, ptr %broken, i64 %member
  store $T %since2, ptr %pb, align 8
  %pq = getelementptr inbounds double, ptr %inexact, i64 %member
  store $T %rough2, ptr %pq, align 8
  %block2 = add i64 %block, 1
  br label %blocks
}
""")

NEVER = -1.0
"""The value in `broken` for a member with stocks that stay finite, and in `inexact` for one that is as exact as requested."""
MOST_PARTS = 1024
"""The most parts into which an integrator with automatic steps cuts a time step."""


def driver_text(layout: Layout, width: int, *, places: int, adaptive: bool) -> str:
    """The loops around `@start` and `@step` for blocks of `width` members; `adaptive` to have automatic steps too."""
    sizes = {
        "parameters": ", ".join(f"{kind} %{name}" for name, kind in Arguments.types("ptr noalias").items()),
        "T": numbers(width),
        "B": Function(width).boolean,
        "I": "i64" if width == 1 else f"<{width} x i64>",
        "no_bits": "0" if width == 1 else "zeroinitializer",
        "W": width,
        "places": places,
        "A": 8 * width,
        "zero": splat(0.0, width),
        "false": "false" if width == 1 else "zeroinitializer",
        "true": "true" if width == 1 else "splat (i1 true)",
        "never": splat(NEVER, width),
        "stocks": layout.stocks,
        "rates": layout.stocks * width,
        "base": 2 * layout.stocks * width,
        "sums": 3 * layout.stocks * width,
        "origin": 4 * layout.stocks * width,
        "accepted": 5 * layout.stocks * width,
        "free": layout.stocks - layout.held_stocks,
        "apart": layout.first_direct,
        "odd": layout.odd_row * width,
        "most_parts": MOST_PARTS,
        "inputs": layout.constants,
        "rows": layout.rows,
        "first_input": layout.first_input,
        "delays": len(layout.delay_input),
        "columns": len(layout.columns),
        "line": len(layout.columns) * width,
        "passages": len(layout.passage),
        "shifts": len(layout.shift),
        "fetch_next": _FETCH_NEXT if width > 1 else "",
        "step": _MOVING_STEP if layout.shift else _PLAIN_STEP,
        "passage_columns": PASSAGE_COLUMNS,
        "nothing": literal(NOTHING_DUE),
        "samples": len(layout.held),
        "spread_factor": _spread("factors", "%factor", width),
        "spread_weight": _spread("weights", "%weight", width),
        "spread_absolute": _spread("absolutes", "%absolute", width),
        "spread_relative": _spread("relatives", "%relative", width),
        "spread_constant": _spread("c_all", "%c_one", width),
        "spread_k": _spread("k_all", "%k_real", width),
        "note_first": _note(layout, "first", "%first_real", width),
        "note_step": _note(layout, "step", "%k_real", width),
    }
    passed = ((row, row + 1, layout.row[cell]) for cell, row in layout.passage.items())
    rows = {
        "delay_rows": [layout.row[cell] for cell in layout.delay_input],
        "input_rows": [*layout.delay_input.values(), *chain.from_iterable(passed)],
        "passage_rows": [layout.row[cell] for cell in layout.passage],
        "steps_rows": list(layout.delay_steps.values()),
        "sample_rows": [layout.row[cell] for cell in layout.held],
        "held_rows": list(layout.held.values()),
    }
    shifted = [[layout.row[cell] for cell in cells] for cells in layout.plan.shifts.values()]
    rows |= {
        "shift_rows": [layout.row[cell] for cell in layout.shift],
        "shift_inputs": list(layout.shift.values()),
        "shift_cells": list(chain.from_iterable(shifted)),
    }
    lists = {name: [row * width for row in where] for name, where in rows.items()}
    lists["passage_adds"] = [int(own.memory is not None and own.memory.adds) for own in layout.plan.passages]
    lists["shift_firsts"] = list(accumulate(map(len, shifted), initial=0))
    data = [
        f"@{name} = private unnamed_addr constant [{len(places)} x i64] [{', '.join(f'i64 {place}' for place in places)}]"
        for name, places in lists.items()
    ]
    stocks = (
        STOCKS.substitute(sizes, which=which, first=first, last=last)
        for which, first, last in (
            ("free", 0, sizes["free"]),
            ("held", sizes["free"], layout.stocks),
            ("apart", 0, layout.first_direct),
        )
    )
    euler = (DIRECT if layout.direct else NOT_DIRECT).substitute(sizes)
    parts = (STEP, ADAPTIVE if adaptive else NOT_ADAPTIVE, *[_SHIFTS] * bool(layout.shift), _RUN, _MEMORY)
    return "\n".join([*stocks, euler, *(text.substitute(sizes) for text in parts), _entry_text(), *data])


def _spread(name: str, scalar: str, width: int) -> str:
    """The same number for every member, in a register of a given name."""
    if width == 1:
        return f"%{name} = fadd double {scalar}, {splat(-0.0, 1)}"
    wide = numbers(width)
    return (
        f"%{name}_1 = insertelement {wide} poison, double {scalar}, i64 0\n"
        f"  %{name} = shufflevector {wide} %{name}_1, {wide} poison, <{width} x i32> zeroinitializer"
    )


def _note(layout: Layout, name: str, scalar: str, width: int) -> str:
    """The number of the time step goes into its row, for a model that reads it; and at first the address of the history."""
    if layout.step_row is None:
        return ""
    place = f"%p_{name} = getelementptr inbounds double, ptr %workspace, i64 {layout.step_row * width}"
    store = f"store {numbers(width)} %{name}_all, ptr %p_{name}, align {8 * width}"
    lines = [_spread(f"{name}_all", scalar, width), place, store]
    if name == "first" and layout.history_row is not None:
        lines += [
            f"%p_history = getelementptr inbounds double, ptr %workspace, i64 {layout.history_row * width}",
            "%history_at = ptrtoint ptr %history to i64",
            "store i64 %history_at, ptr %p_history, align 8",
        ]
    return "\n  ".join(lines)


def _entry_text() -> str:
    """The function `@kernel`: it reads the fields of `Arguments`; the type is made from that structure."""
    types = Arguments.types("ptr")
    lines = [f"%arguments = type {{ {', '.join(types.values())} }}", "define void @kernel(ptr %a) nounwind {"]
    for index, (name, kind) in enumerate(types.items()):
        lines.append(f"  %p{index} = getelementptr inbounds %arguments, ptr %a, i32 0, i32 {index}")
        lines.append(f"  %{name} = load {kind}, ptr %p{index}")
    passed = ", ".join(f"{kind} %{name}" for name, kind in types.items())
    return "\n".join([*lines, f"  call void @blocks({passed})", "  ret void", "}", ""])
