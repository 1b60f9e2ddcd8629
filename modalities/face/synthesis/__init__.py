"""Synthesis: facial movements of known size, side and time, planted into any face video or photograph.

Plan (or write) expressions, follow the face, plant, disturb:

    path = follow_face(pictures(), times_s)
    events = visible(plan_events(times_s[-1], 5.0, rng, family_name="train"), path, times_s)
    frames = disturb(plant(pictures(), path, times_s, events), times_s, draw_nuisance(rng), rng)
    truth = [frame_truth(event, times_s) for event in events]

`pictures()` opens the RGB frames anew at each call; nothing holds the whole video.
"""
