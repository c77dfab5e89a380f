/* The epidemic of test_arrays.py as a plain C program: Euler steps over fixed arrays, one loop for each equation. */

#ifndef REGIONS
#define REGIONS 50
#define AGES 10
#endif

static double susceptible[REGIONS][AGES], infected[REGIONS][AGES], recovered[REGIONS][AGES], population[REGIONS][AGES];
static double infection[REGIONS][AGES], recovery[REGIONS][AGES], total_infected[REGIONS], total_population[REGIONS];
static double contacts[AGES], duration[REGIONS];

/* Runs `steps` steps and saves the infected of all regions and ages after each. */
void run(double infectivity, double time_step, int steps, double *saved)
{
    for (int r = 0; r < REGIONS; r++)
        duration[r] = 6.0;
    for (int a = 0; a < AGES; a++)
        contacts[a] = 5.0;
    for (int r = 0; r < REGIONS; r++)
        for (int a = 0; a < AGES; a++) {
            population[r][a] = 1000.0;
            susceptible[r][a] = population[r][a] - 1.0;
            infected[r][a] = 1.0;
            recovered[r][a] = 0.0;
        }
    for (int r = 0; r < REGIONS; r++) {
        total_population[r] = 0.0;
        for (int a = 0; a < AGES; a++)
            total_population[r] += population[r][a];
    }
    for (int step = 0; step <= steps; step++) {
        for (int r = 0; r < REGIONS; r++) {
            total_infected[r] = 0.0;
            for (int a = 0; a < AGES; a++)
                total_infected[r] += infected[r][a];
        }
        double all_infected = 0.0;
        for (int r = 0; r < REGIONS; r++)
            all_infected += total_infected[r];
        for (int r = 0; r < REGIONS; r++)
            for (int a = 0; a < AGES; a++) {
                infection[r][a] =
                    susceptible[r][a] * contacts[a] * infectivity * total_infected[r] / total_population[r];
                recovery[r][a] = infected[r][a] / duration[r];
            }
        saved[step] = all_infected;
        for (int r = 0; r < REGIONS; r++)
            for (int a = 0; a < AGES; a++) {
                susceptible[r][a] += time_step * -infection[r][a];
                infected[r][a] += time_step * (infection[r][a] - recovery[r][a]);
                recovered[r][a] += time_step * recovery[r][a];
            }
    }
}
