// The epidemic of test_arrays.py in C, one loop for each equation: what a modeller would write by hand.
// cc -O3 -march=native -shared -fPIC -DREGIONS=1000 -DAGES=100

#define EACH for (int r = 0; r < REGIONS; r++) for (int a = 0; a < AGES; a++)

static double susceptible[REGIONS][AGES], infected[REGIONS][AGES], recovered[REGIONS][AGES], population[REGIONS][AGES];
static double infection[REGIONS][AGES], recovery[REGIONS][AGES];
static double contacts[AGES], duration[REGIONS], total_infected[REGIONS], total_population[REGIONS];

static double auxiliaries(double infectivity) {
    double all = 0;
    for (int r = 0; r < REGIONS; r++) {
        double total = 0;
        for (int a = 0; a < AGES; a++) total += infected[r][a];
        total_infected[r] = total;
    }
    EACH infection[r][a] = susceptible[r][a] * contacts[a] * infectivity * total_infected[r] / total_population[r];
    EACH recovery[r][a] = infected[r][a] / duration[r];
    for (int r = 0; r < REGIONS; r++) all += total_infected[r];
    return all;
}

// The number of infected at the start and after each step, in `all`.
void run(double infectivity, int steps, double time_step, double *all) {
    for (int a = 0; a < AGES; a++) contacts[a] = 5;
    EACH population[r][a] = 1000;
    for (int r = 0; r < REGIONS; r++) {
        duration[r] = 6;
        double total = 0;
        for (int a = 0; a < AGES; a++) total += population[r][a];
        total_population[r] = total;
    }
    EACH susceptible[r][a] = population[r][a] - 1;
    EACH infected[r][a] = 1;
    EACH recovered[r][a] = 0;
    for (int n = 0; n < steps; n++) {
        all[n] = auxiliaries(infectivity);
        EACH susceptible[r][a] += -infection[r][a] * time_step;
        EACH infected[r][a] += (infection[r][a] - recovery[r][a]) * time_step;
        EACH recovered[r][a] += recovery[r][a] * time_step;
    }
    all[steps] = auxiliaries(infectivity);
}
