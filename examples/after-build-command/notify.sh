#!/bin/sh
echo "step $HABITUS_STEP made $HABITUS_IMAGE_ID"
